//go:build unix

package ledger

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// hasOwners reports whether files have an owner, a group and a mode.
const hasOwners = true

// isOwnedByOther reports whether a file belongs to another user than this process.
func isOwnedByOther(stat fs.FileInfo) bool {
	sys, ok := stat.Sys().(*syscall.Stat_t)
	return ok && int(sys.Uid) != os.Geteuid()
}

// ownerName is the name of a file's owner, or the number where it has no name.
func ownerName(stat fs.FileInfo) string {
	sys, ok := stat.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	uid := strconv.FormatUint(uint64(sys.Uid), 10)
	if owner, err := user.LookupId(uid); err == nil {
		return owner.Username
	}
	return "user " + uid
}

// hardLinks is how many names a file has.
func hardLinks(stat fs.FileInfo) uint64 {
	sys, ok := stat.Sys().(*syscall.Stat_t)
	if !ok {
		return 1
	}
	return uint64(sys.Nlink) //nolint:unconvert // another type on other systems
}
