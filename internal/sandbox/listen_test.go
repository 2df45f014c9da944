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
