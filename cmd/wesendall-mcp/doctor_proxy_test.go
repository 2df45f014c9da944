package main

import (
	"strings"
	"testing"
)

func TestProxyProblems(t *testing.T) {
	t.Parallel()
	const base = "https://www.wesendall.com"
	for name, c := range map[string]struct {
		env        []string
		base, want string
	}{
		"none":           {nil, base, ""},
		"used":           {[]string{"HTTPS_PROXY=http://u:hunter2@proxy.test:8080"}, base, ""},
		"without scheme": {[]string{"https_proxy=proxy.test:8080"}, base, ""},
		"broken":         {[]string{"HTTPS_PROXY=http://u:hunter2@pro xy:80 80"}, base, "HTTPS_PROXY cannot be read"},
		"all":            {[]string{"ALL_PROXY=socks5://proxy.test"}, base, "ALL_PROXY is ignored"},
		"http only":      {[]string{"http_proxy=http://proxy.test"}, base, "http_proxy is ignored"},
		"both":           {[]string{"HTTP_PROXY=http://p.test", "HTTPS_PROXY=http://p.test"}, base, ""},
		"this machine":   {[]string{"ALL_PROXY=socks5://proxy.test"}, "http://127.0.0.1:1", ""},
	} {
		got := strings.Join(proxyProblems(lookupIn(c.env), c.base), "; ")
		if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
