package mcpserver

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/loopback"
	"github.com/wesendall/wesendall-mcp/tools"
)

// originPolicy checks the Host and Origin headers. A web page can make its visitor's
// browser send requests to any address that the browser reaches, and can point
// its own host name at that address (DNS rebinding). It is hand-written because
// mcp-go v1.2.1 does not check the Origin of a POST, and its check of Host knows
// only loopback.
type originPolicy struct {
	allowedHosts   []string // with port; nil allows any
	allowedOrigins []string // as scheme://host[:port]
}

// newOriginPolicy makes the policy of a server that listens on addr. On loopback
// the Host header must be a loopback name, unless a proxy is in front. On other
// addresses the server cannot know its names, so any Host is allowed unless
// AllowedHosts is set; an Origin is never allowed because it equals the Host.
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

// stripDefaultPort removes the default port of a scheme.
func stripDefaultPort(host, port string) string { return strings.TrimSuffix(host, ":"+port) }

// check returns why a request is refused, or "".
func (p originPolicy) check(r *http.Request) string {
	host := strings.ToLower(r.Host)
	hostname := (&url.URL{Host: host}).Hostname()
	matchesHost := func(name string) bool {
		return name == host || name == hostname ||
			stripDefaultPort(name, "443") == stripDefaultPort(host, "443") ||
			stripDefaultPort(name, "80") == stripDefaultPort(host, "80")
	}
	if p.allowedHosts != nil && !slices.ContainsFunc(p.allowedHosts, matchesHost) {
		return "the name in the Host header is not allowed (--allowed-host adds one)"
	}
	origins := r.Header.Values("Origin")
	if len(origins) > 1 || len(origins) == 1 && !slices.Contains(p.allowedOrigins, strings.ToLower(origins[0])) {
		return "web pages of this Origin are not allowed (--allowed-origin adds one)"
	}
	return ""
}

// setCORSHeaders tells a browser what an allowed page may send and read.
func (p originPolicy) setCORSHeaders(h http.Header, r *http.Request) {
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, Retry-After")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "POST, DELETE, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, "+tools.WalletHeader+
			", Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID")
		h.Set("Access-Control-Max-Age", "7200")
	}
}
