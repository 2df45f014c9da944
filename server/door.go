package server

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// door decides by the address that a request names, and by the page that sent
// it. A page in somebody's browser may send what it likes to any address that
// the browser reaches, and may give its own name to this one.
type door struct {
	// hosts are the names that a request must be for, with port; nil is any.
	hosts []string
	// origins are the pages that may call.
	origins []string
}

// newDoor knows what may be asked of an address. On loopback only its own names
// are taken, unless a proxy brings requests for other ones. Elsewhere nobody
// knows which names lead here, so that without a list any does: pages are then
// told apart by their own name alone, and never by being the same as the host's.
func newDoor(address net.Addr, o HTTPOptions) door {
	d := door{}
	for _, origin := range o.Origins {
		d.origins = append(d.origins, strings.ToLower(origin))
	}
	var own []string
	host, port, _ := net.SplitHostPort(address.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		for _, name := range []string{"localhost", "127.0.0.1", "::1", host} {
			own = append(own, net.JoinHostPort(name, port))
		}
	}
	for _, name := range o.Hosts {
		own = append(own, strings.ToLower(name))
	}
	for _, name := range own {
		if o.TLS != nil || o.Proxied {
			d.origins = append(d.origins, "https://"+portless(name, "443"))
		}
		if o.TLS == nil {
			d.origins = append(d.origins, "http://"+portless(name, "80"))
		}
	}
	if len(o.Hosts) > 0 || own != nil && !o.Proxied {
		d.hosts = own
	}
	return d
}

// portless is a host without the port that needs no saying.
func portless(host, port string) string { return strings.TrimSuffix(host, ":"+port) }

// refuses says why a request may not come in, or "".
func (d door) refuses(q *http.Request) string {
	host := strings.ToLower(q.Host)
	hostname := (&url.URL{Host: host}).Hostname()
	same := func(name string) bool {
		return name == host || name == hostname || portless(name, "443") == portless(host, "443") || portless(name, "80") == portless(host, "80")
	}
	if d.hosts != nil && !slices.ContainsFunc(d.hosts, same) {
		return "this server does not go by the name in the Host header (--allowed-host adds one)"
	}
	origins := q.Header.Values("Origin")
	if len(origins) > 1 || len(origins) == 1 && !slices.Contains(d.origins, strings.ToLower(origins[0])) {
		return "pages of this Origin may not call (--allowed-origin adds one)"
	}
	return ""
}

// welcome tells a browser what a page that may call may send and see.
func (d door) welcome(h http.Header, q *http.Request) {
	h.Add("Vary", "Origin")
	origin := q.Header.Get("Origin")
	if origin == "" {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, Retry-After")
	if q.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "POST, DELETE, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, X-Wesendall-Wallet, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID")
		h.Set("Access-Control-Max-Age", "7200")
	}
}
