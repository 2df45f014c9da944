package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
)

// requireOrSkip skips a test on a machine that lacks something, but where changes are
// taken in, which must have it.
func requireOrSkip(t *testing.T, what string, available bool) {
	t.Helper()
	switch {
	case available:
	case os.Getenv("CI") == "true":
		t.Fatal("there is no " + what)
	default:
		t.Skip("there is no " + what)
	}
}

// serverName is the one that the documents give the server.
const serverName = "mcp.example.com"

// startProxy starts nginx in front of the replicas. Its configuration is that of the
// documents, with other addresses and files. It returns a client that connects to the
// proxy for every URL.
func startProxy(t *testing.T, c *cluster) *http.Client {
	t.Helper()
	addresses, err := freeAddrs(1)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "packaging", "deployment", "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	roots := writeCertificate(t, c.dir)
	var servers strings.Builder
	for _, r := range c.replicas {
		fmt.Fprintf(&servers, "server %s max_fails=1 fail_timeout=1s;\n", strings.TrimSuffix(strings.TrimPrefix(r.url, "http://"), "/mcp"))
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	conf := string(text)
	for old, replacement := range map[string]string{
		"user nginx;":     user + " daemon off;",
		"/run/nginx.pid":  c.dir + "/nginx.pid",
		"access_log off;": fmt.Sprintf("access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;", c.dir),
		"server wesendall-mcp:8080 max_fails=1 fail_timeout=2s;": servers.String(),
		"listen 443 ssl":  "listen " + addresses[0] + " ssl",
		"/etc/nginx/tls/": c.dir + "/",
	} {
		if !strings.Contains(conf, old) {
			t.Fatalf("nginx.conf has no %q", old)
		}
		conf = strings.ReplaceAll(conf, old, replacement)
	}
	file := filepath.Join(c.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := c.start("nginx", nil, nginxPath(), "-c", file, "-e", "stderr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(syscall.SIGTERM) })
	transport := &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addresses[0])
		},
	}
	httpClient := &http.Client{Timeout: time.Minute, Transport: transport}
	if err := waitUntil(t.Context(), func() error { return checkHealth(t.Context(), httpClient, "https://"+serverName+"/readyz") }); err != nil {
		logs, _ := os.ReadFile(filepath.Join(c.dir, "nginx.log"))
		t.Fatalf("%v: %s", err, logs)
	}
	return httpClient
}

// nginxPath is where it is: not everybody's PATH leads there.
func nginxPath() string {
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx"
	}
	return path
}

// writeCertificate writes one for the server's name.
func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{serverName}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for file, text := range map[string][]byte{"cert.pem": cert, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return roots
}

// Callers send through replicas of which one after the other is killed, and call
// again whenever no answer comes. By the API's own records nobody is charged
// twice, and what was said to be accepted is charged.
func TestReplicas_KilledUnderLoad(t *testing.T) {
	ledger := os.Getenv("WESENDALL_TEST_POSTGRES")
	requireOrSkip(t, "PostgreSQL (WESENDALL_TEST_POSTGRES)", ledger != "")
	_, err := os.Stat(nginxPath())
	requireOrSkip(t, "nginx", err == nil)

	const callers, each, kills = 8, 60, 6
	cluster, err := startCluster(t.Context(), t.TempDir(), 3, callers, ledger)
	if cluster != nil {
		defer cluster.close()
	}
	if err != nil {
		t.Fatal(err)
	}
	httpClient := startProxy(t, cluster)

	// Who kills does so after so many sends, not after a time.
	var finished atomic.Int64
	killRequests := make(chan struct{}, callers*each)
	var killed atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range killRequests {
			_ = n
			r := cluster.replicas[int(killed.Add(1))%len(cluster.replicas)]
			r.stop(syscall.SIGKILL)
			if err := cluster.startReplica(context.WithoutCancel(t.Context()), r); err != nil {
				t.Error(err)
				return
			}
		}
	}()

	lastCodes := make([]map[string]string, callers) // the last code for each message
	var lostReplies atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		lastCodes[i] = map[string]string{}
		c := &caller{httpClient, cluster.tokens[i]}
		wg.Go(func() {
			for n := range each {
				message, code := fmt.Sprintf("Hi %d from %d", n, i), "no answer"
				for range 50 {
					got, err := c.call(t.Context(), "https://"+serverName+"/mcp", "send_sms", map[string]any{"recipient": "+256700000010", "message": message})
					if err != nil {
						lostReplies.Add(1) // it may have been sent: only the ledger knows
						code = err.Error()
						if err := waitUntil(t.Context(), func() error { return checkHealth(t.Context(), httpClient, "https://"+serverName+"/readyz") }); err != nil {
							t.Error(err)
						}
						continue
					}
					code = got.Code
					if code == "" || code == "duplicate_send" || code == "outcome_unknown" {
						break
					}
				}
				lastCodes[i][message] = code
				if finished.Add(1)%(callers*each/(kills+1)) == 0 {
					killRequests <- struct{}{}
				}
			}
		})
	}
	wg.Wait()
	close(killRequests)
	<-done

	charged := cluster.chargeCounts(t)
	accepted := 0
	for _, codes := range lastCodes {
		for message, code := range codes {
			switch count := charged[message]; {
			case count > 1:
				t.Errorf("%q was charged %d times", message, count)
			case code == "" && count != 1:
				t.Errorf("%q was accepted and charged %d times", message, count)
			case code != "" && code != "duplicate_send" && code != "outcome_unknown":
				t.Errorf("%q ended with %q", message, code)
			case code == "":
				accepted++
			}
		}
	}
	t.Logf("%d sends, %d accepted at once, %d calls without an answer, %d kills, %d charged", callers*each, accepted, lostReplies.Load(), killed.Load(), len(charged))
	if killed.Load() < kills || accepted < callers*each/2 {
		t.Errorf("that says little: %d kills, %d accepted", killed.Load(), accepted)
	}
}

// chargeCounts counts how often the API charged for each message.
func (c *cluster) chargeCounts(t *testing.T) map[string]int {
	t.Helper()
	env := map[string]string{}
	for _, line := range c.env {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	apiClient, err := client.New(client.Options{BaseURL: c.baseURL, APIKey: env["WESENDALL_API_KEY"], APISecret: client.NewSecret(env["WESENDALL_API_SECRET"])})
	if err != nil {
		t.Fatal(err)
	}
	charged := map[string]int{}
	for page := int64(1); ; page++ {
		got, err := apiClient.History(t.Context(), client.HistoryRequest{WalletID: env["WESENDALL_WALLET_ID"], Page: page, PerPage: 100})
		if err != nil {
			t.Fatal(err)
		}
		var history struct {
			Messages []struct {
				Message string
				Cost    int64
			}
		}
		if err := json.Unmarshal(got.Data, &history); err != nil {
			t.Fatal(err)
		}
		for _, m := range history.Messages {
			if m.Cost > 0 {
				charged[m.Message]++
			}
		}
		if len(history.Messages) < 100 {
			return charged
		}
	}
}
