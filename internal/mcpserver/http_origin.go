package mcpserver

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/loopback"
)

// originPolicy decides by the address that a request names, and by the page that sent
// it. A page in somebody's browser may send what it likes to any address that
// the browser reaches, and may give its own name to this one.
type originPolicy struct {
	// hosts are the names that a request must be for, with port; nil is any.
	allowedHosts []string
	// origins are the pages that may call.
	allowedOrigins []string
}

// newOriginPolicy knows what may be asked of an address. On loopback only its own names
// are taken, unless a proxy brings requests for other ones. Elsewhere nobody
// knows which names lead here, so that without a list any does: pages are then
// told apart by their own name alone, and never by being the same as the host's.
func newOriginPolicy(addr net.Addr, o HTTPOptions) originPolicy {
	p := originPolicy{}
	for _, origin := range o.AllowedOrigins {
		p.allowedOrigins = append(p.allowedOrigins, strings.ToLower(origin))
	}
	var ownHosts []string
	host, port, _ := net.SplitHostPort(addr.String())
	if loopback.IsHost(host) {
		for _, name := range []string{"localhost", "127.0.0.1", "::1", host} {
			ownHosts = append(ownHosts, net.JoinHostPort(name, port))
		}
	}
	for _, name := range o.AllowedHosts {
		ownHosts = append(ownHosts, strings.ToLower(name))
	}
	for _, name := range ownHosts {
		if o.TLS != nil || o.BehindProxy {
			p.allowedOrigins = append(p.allowedOrigins, "https://"+stripDefaultPort(name, "443"))
		}
		if o.TLS == nil {
			p.allowedOrigins = append(p.allowedOrigins, "http://"+stripDefaultPort(name, "80"))
		}
	}
	if len(o.AllowedHosts) > 0 || ownHosts != nil && !o.BehindProxy {
		p.allowedHosts = ownHosts
	}
	return p
}

// stripDefaultPort is a host without the port that needs no saying.
func stripDefaultPort(host, port string) string { return strings.TrimSuffix(host, ":"+port) }

// check says why a request may not come in, or "".
func (p originPolicy) check(r *http.Request) string {
	host := strings.ToLower(r.Host)
	hostname := (&url.URL{Host: host}).Hostname()
	matchesHost := func(name string) bool {
		return name == host || name == hostname || stripDefaultPort(name, "443") == stripDefaultPort(host, "443") || stripDefaultPort(name, "80") == stripDefaultPort(host, "80")
	}
	if p.allowedHosts != nil && !slices.ContainsFunc(p.allowedHosts, matchesHost) {
		return "this server does not go by the name in the Host header (--allowed-host adds one)"
	}
	origins := r.Header.Values("Origin")
	if len(origins) > 1 || len(origins) == 1 && !slices.Contains(p.allowedOrigins, strings.ToLower(origins[0])) {
		return "pages of this Origin may not call (--allowed-origin adds one)"
	}
	return ""
}

// setCORSHeaders tells a browser what a page that may call may send and see.
func (d originPolicy) setCORSHeaders(h http.Header, r *http.Request) {
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, Retry-After")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "POST, DELETE, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, X-Wesendall-Wallet, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID")
		h.Set("Access-Control-Max-Age", "7200")
	}
}
