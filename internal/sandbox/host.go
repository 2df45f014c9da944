package sandbox

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// checkHost refuses requests whose Host header is not a name of this listener. A web
// page can point its own name at this machine (DNS rebinding), and its visitor's
// browser would let it use the sandbox.
func checkHost(listening net.Addr, next http.Handler) http.Handler {
	_, port, _ := net.SplitHostPort(listening.String())
	allowed := []string{listening.String()}
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		allowed = append(allowed, net.JoinHostPort(name, port))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := strings.ToLower(r.Host)
		if port == "80" { // browsers leave it out
			host = strings.TrimSuffix(host, ":80") + ":80"
		}
		if !slices.Contains(allowed, host) {
			writeResponse(w, nil, errMisdirected)
			return
		}
		next.ServeHTTP(w, r)
	})
}
