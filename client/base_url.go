package client

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// CanonicalBaseURL returns one spelling for all base URLs that mean the same. Each has
// one ledger and one budget for a wallet. It is not for requests. The case of the host, a
// dot after it, the default port, dot segments and slashes at the end make no difference,
// and localhost, 127.0.0.1 and [::1] are one host. It expects what Client.BaseURL
// returns.
func CanonicalBaseURL(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil {
		return baseURL
	}
	host := strings.TrimRight(strings.ToLower(u.Hostname()), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap().WithZone("")
		if addr == netip.IPv6Loopback() {
			addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
		host = addr.String()
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	isDefault := u.Scheme == "https" && port == 443 || u.Scheme == "http" && port == 80
	switch {
	case err == nil && !isDefault:
		host = net.JoinHostPort(host, strconv.FormatUint(port, 10))
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	cleaned := url.URL{Scheme: u.Scheme, Host: host, Path: strings.TrimRight(path.Clean("/"+u.Path), "/")}
	return cleaned.String()
}
