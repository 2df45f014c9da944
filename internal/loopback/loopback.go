// Package loopback tells whether an address belongs to this machine only. It
// resolves no names.
package loopback

import (
	"net"
	"strings"
)

// IsHost reports whether host, without a port, is localhost in any case, also with a dot
// after it, or a loopback IP address. Any other name is not, wherever it resolves to.
func IsHost(host string) bool {
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") || net.ParseIP(host).IsLoopback()
}
