package sandbox

import (
	"io"
	"net/http"
	"net/url"
	"testing"
)

func TestStart_LoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.org:0", "127.0.0.1"} {
		if s, err := Start(t.Context(), addr, Options{}); err == nil {
			t.Errorf("%q was served at %s: %v", addr, s.URL(), s.Close())
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0"} {
		s, err := Start(t.Context(), addr, Options{Balance: DefaultBalance})
		if err != nil {
			t.Fatal(err)
		}
		if u, err := url.Parse(s.URL()); err != nil || u.Scheme != "http" || u.Port() == "0" {
			t.Errorf("URL %s", s.URL())
		}
		res, err := http.Get(s.URL() + "/api/v1/groups")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("status %d", res.StatusCode)
		}
		for range 2 { // to close twice is harmless
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A page that points its own name at this machine gets nothing.
func TestStart_Host(t *testing.T) {
	t.Parallel()
	s, err := Start(t.Context(), "127.0.0.1:0", Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		u.Host: http.StatusUnauthorized, "localhost:" + u.Port(): http.StatusUnauthorized,
		"LocalHost:" + u.Port(): http.StatusUnauthorized, "[::1]:" + u.Port(): http.StatusUnauthorized,
		"localhost": http.StatusMisdirectedRequest, "127.0.0.1": http.StatusMisdirectedRequest,
		"127.0.0.1:1": http.StatusMisdirectedRequest, "attacker.test:" + u.Port(): http.StatusMisdirectedRequest,
		"localhost.attacker.test:" + u.Port(): http.StatusMisdirectedRequest,
		"127.0.0.2:" + u.Port():               http.StatusMisdirectedRequest,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/api/v1/groups", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: status %d, not %d: %s", host, res.StatusCode, want, body)
		}
	}
}
