package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// FileInfo describes the file of a ledger, for the operator.
type FileInfo struct {
	Owner    string // the name of its owner; "" where the system does not tell
	Mode     fs.FileMode
	Warnings []string // who else can read or replace it
}

// FileError says that a file cannot be the ledger. Its message is about one file.
type FileError struct{ path, problem, fix string }

// Error names the file and what is wrong with it.
func (e *FileError) Error() string { return e.path + " " + e.problem }

// InspectFile describes the file of a ledger. It returns a FileError where the
// ledger, or a file that SQLite keeps beside it, belongs to someone else, can be
// changed by others, or is a link: another program could then decide what was spent,
// and SQLite keeps its log beside the name that it opened. It creates nothing, and a
// missing file is no error.
func InspectFile(path string) (FileInfo, error) {
	var info FileInfo
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		stat, err := os.Lstat(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return info, err
		}
		if err := checkFile(path+suffix, stat); err != nil {
			return info, err
		}
		if suffix == "" {
			info.Mode, info.Owner = stat.Mode().Perm(), ownerName(stat)
			info.Warnings = fileWarnings(path, stat)
		}
	}
	return info, nil
}

// checkFile refuses a file that others control.
func checkFile(path string, stat fs.FileInfo) error {
	const elsewhere = "choose another with WESENDALL_LEDGER=PATH"
	refuse := func(problem, fix string) error { return &FileError{path, problem, fix} }
	switch mode := stat.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return refuse("is a symbolic link, and each name of a ledger would have its own log of changes",
			"set WESENDALL_LEDGER to the file itself")
	case !mode.IsRegular():
		return refuse("is not a file", elsewhere)
	case isOwnedByOther(stat):
		return refuse("belongs to "+ownerName(stat)+" and not to the user that this program runs as",
			"run this program as that user, or "+elsewhere)
	case isWritableByOthers(stat):
		return refuse(fmt.Sprintf("can be written by every user of this machine (mode %04o)", mode.Perm()), "chmod 600 "+path)
	}
	if links := hardLinks(stat); links > 1 {
		return refuse(fmt.Sprintf("has %d names (hard links), and each name of a ledger would have its own log of changes", links),
			"remove the other names, or "+elsewhere)
	}
	return nil
}

// fileWarnings say who else can use a file that its owner controls.
func fileWarnings(path string, stat fs.FileInfo) []string {
	var warnings []string
	if extra := otherAccess(stat); extra != "" {
		warnings = append(warnings, fmt.Sprintf("%s (mode %04o): chmod 600 %s", extra, stat.Mode().Perm(), path))
	}
	dir := filepath.Dir(path)
	if dirStat, err := os.Stat(dir); err == nil && isWritableByOthers(dirStat) && dirStat.Mode()&fs.ModeSticky == 0 {
		warnings = append(warnings, "every user of this machine can replace the files in "+dir+": chmod 700 "+dir)
	}
	return warnings
}

// otherAccess says who has access to a file apart from its owner.
func otherAccess(stat fs.FileInfo) string {
	switch mode := stat.Mode().Perm(); {
	case !hasOwners:
		return ""
	case mode&0o004 != 0:
		return "every user of this machine can read it"
	case mode&0o020 != 0:
		return "its group can change it"
	case mode&0o070 != 0:
		return "its group can read it"
	}
	return ""
}

func isWritableByOthers(stat fs.FileInfo) bool { return hasOwners && stat.Mode().Perm()&0o002 != 0 }
