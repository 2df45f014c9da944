package observability

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A web page can make its own name resolve to this address.
func TestMetricsServer_HostCheck(t *testing.T) {
	t.Parallel()
	h := requireLoopbackHost(NewMetrics("1").Handler())
	for host, want := range map[string]int{
		"127.0.0.1:9464": 200, "127.0.0.1": 200, "localhost:9464": 200, "[::1]:9464": 200,
		"private.example:9464": 403, "private.example": 403, "192.0.2.1": 403, "localhost.private.example": 403, "": 403,
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		req.Host = host
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, req); w.Code != want {
			t.Errorf("%q: %d", host, w.Code)
		}
	}
}
