package client

import "testing"

func TestCanonicalBaseURL(t *testing.T) {
	t.Parallel()
	for want, spellings := range map[string][]string{
		DefaultBaseURL: {
			"", "https://www.wesendall.com/", "HTTPS://WWW.Wesendall.COM", "https://www.wesendall.com:443", "https://www.wesendall.com:0443",
			"https://www.wesendall.com:", "https://www.wesendall.com.", "https://www.wesendall.com.:443/", "https://www.wesendall.com/.",
			"https://www.wesendall.com/a/..", "https://www.wesendall.com/a/%2e%2e/", "https://www.wesendall.com//",
		},
		"http://127.0.0.1:8080": {
			"http://localhost:8080", "http://LOCALHOST:8080/", "http://127.0.0.1:8080/./", "http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080",
			"http://[::ffff:127.0.0.1]:8080",
		},
		"http://127.0.0.1":         {"http://localhost", "http://localhost:80/", "http://[::1]:80"},
		"https://127.0.0.1:8443":   {"https://localhost:8443", "https://localhost.:8443"},
		"https://example.com/a/b":  {"https://example.com/a/b/", "https://example.com/a/./b", "https://EXAMPLE.com/a/c/../b"},
		"https://example.com/A":    {"https://example.com/A"}, // a path has a case
		"https://example.com:8443": {"https://example.com:8443/"},
		"http://127.0.0.2:1":       {"http://127.0.0.2:1"},
		"https://[2001:db8::1]":    {"https://[2001:DB8:0::1]:443"},
		"https://[2001:db8::1]:1":  {"https://[2001:db8::1]:1"},
	} {
		for _, spelling := range spellings {
			c, err := New(Options{BaseURL: spelling})
			if err != nil {
				t.Errorf("%s: %v", spelling, err)
				continue
			}
			if got := CanonicalBaseURL(c.BaseURL()); got != want {
				t.Errorf("%s is %s, not %s", spelling, got, want)
			}
		}
	}
}

// A host in other letters would be another spelling of the same name.
func TestBaseURL_NonASCII(t *testing.T) {
	t.Parallel()
	for _, spelling := range []string{
		"https://ｗｗｗ.wesendall.com", "https://www。wesendall。com", "https://www.wesenda\u212A.com", "https://ex%C3%A4mple.com",
	} {
		if _, err := New(Options{BaseURL: spelling}); err == nil {
			t.Errorf("%s is accepted", spelling)
		}
	}
}
