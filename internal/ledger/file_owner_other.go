//go:build !unix

package ledger

import "io/fs"

// hasOwners is false on systems whose files have no owner and mode.
const hasOwners = false

func isOwnedByOther(fs.FileInfo) bool { return false }

func ownerName(fs.FileInfo) string { return "" }

func hardLinks(fs.FileInfo) uint64 { return 1 }
