package mcpserver

import (
	"net/http"
	"strings"
	"testing"
)

// allowExampleCom allows a host and a page.
func allowExampleCom(o *HTTPOptions) {
	o.AllowedHosts, o.AllowedOrigins = []string{"mcp.example.com"}, []string{"https://app.example.com"}
}

func TestOriginPolicy(t *testing.T) {
	t.Parallel()
	proxied := func(o *HTTPOptions) { o.BehindProxy = true }
	plain, listed := startHTTPServer(t, newFake()), startHTTPServer(t, newFake(), allowExampleCom)
	behind, both := startHTTPServer(t, newFake(), proxied), startHTTPServer(t, newFake(), allowExampleCom, proxied)
	port := func(s *httpTestServer) string { return s.url[strings.LastIndex(s.url, ":"):] }
	for name, c := range map[string]struct {
		s            *httpTestServer
		host, origin string
		in           bool
	}{
		"nobody's page":                   {plain, "127.0.0.1" + port(plain), "", true},
		"localhost":                       {plain, "LOCALHOST" + port(plain), "", true},
		"the other loopback":              {plain, "[::1]" + port(plain), "", true},
		"another port":                    {plain, "127.0.0.1:1", "", false},
		"no port":                         {plain, "localhost", "", false},
		"a name that leads here":          {plain, "evil.example" + port(plain), "", false},
		"a name that begins like ours":    {plain, "localhost.evil.example" + port(plain), "", false},
		"a page of ours":                  {plain, "127.0.0.1" + port(plain), "http://localhost" + port(plain), true},
		"a page of ours by TLS":           {plain, "127.0.0.1" + port(plain), "https://localhost" + port(plain), false},
		"a page of another port":          {plain, "127.0.0.1" + port(plain), "http://localhost:1", false},
		"a page of somebody":              {plain, "127.0.0.1" + port(plain), "https://evil.example", false},
		"no page's origin":                {plain, "127.0.0.1" + port(plain), "null", false},
		"a page that leads here":          {plain, "127.0.0.1" + port(plain), "http://evil.example" + port(plain), false},
		"a listed name":                   {listed, "MCP.example.com", "", true},
		"a listed name and its port":      {listed, "mcp.example.com:443", "", true},
		"a listed name at another port":   {listed, "mcp.example.com:8443", "", true},
		"no listed name at a port":        {listed, "evil.example:8443", "", false},
		"a name that is not listed":       {listed, "evil.example", "", false},
		"loopback beside a list":          {listed, "localhost" + port(listed), "", true},
		"a listed page":                   {listed, "mcp.example.com", "https://app.example.com", true},
		"a listed page in the clear":      {listed, "mcp.example.com", "http://app.example.com", false},
		"a page within a listed one":      {listed, "mcp.example.com", "https://app.example.com.evil.example", false},
		"any name behind a proxy":         {behind, "mcp.example.com", "", true},
		"the same page behind a proxy":    {behind, "evil.example", "https://evil.example", false},
		"a listed name behind a proxy":    {both, "mcp.example.com", "https://mcp.example.com", true},
		"an unlisted name behind a proxy": {both, "evil.example", "", false},
	} {
		headers := callerHeaders("alice").merge(headerMap{"Host": c.host})
		if c.origin != "" {
			headers["Origin"] = c.origin
		}
		a := c.s.postStateless(statelessRequest("1", "tools/call", readBalance), headers)
		wantStatus := http.StatusForbidden
		if c.in {
			wantStatus = http.StatusOK
		}
		if a.status != wantStatus || a.message(t).Error == nil != c.in {
			t.Errorf("%s: %+v", name, a)
		}
		if c.origin != "" && (a.header.Get("Access-Control-Allow-Origin") == c.origin) != c.in {
			t.Errorf("%s: %v", name, a.header)
		}
	}
}

func TestOriginPolicy_CORS(t *testing.T) {
	t.Parallel()
	listed := startHTTPServer(t, newFake(), allowExampleCom)
	a := listed.do(http.MethodOptions, "/mcp", "",
		headerMap{"Host": "mcp.example.com", "Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"})
	for _, name := range []string{"Authorization", "X-Wesendall-Wallet", "Mcp-Session-Id", "MCP-Protocol-Version",
		"Mcp-Method", "Mcp-Name", "Last-Event-ID", "Content-Type"} {
		if a.status != http.StatusNoContent || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), name) ||
			!strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "Mcp-Session-Id") {
			t.Errorf("%s: %+v", name, a)
		}
	}
	a = listed.do(http.MethodOptions, "/mcp", "",
		headerMap{"Host": "mcp.example.com", "Origin": "https://evil.example"})
	if a.status != http.StatusForbidden || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%+v", a)
	}
}
