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

// requireOrSkip skips a test on a machine that lacks something. Under CI it fails instead.
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

// serverName is the server's name in the documents.
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
		address := strings.TrimSuffix(strings.TrimPrefix(r.url, "http://"), "/mcp")
		fmt.Fprintf(&servers, "server %s max_fails=1 fail_timeout=1s;\n", address)
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	conf := string(text)
	for old, replacement := range map[string]string{
		"user nginx;":    user + " daemon off;",
		"/run/nginx.pid": c.dir + "/nginx.pid",
		"access_log off;": fmt.Sprintf("access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; "+
			"fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;", c.dir),
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
	if err := waitUntilReady(t.Context(), httpClient); err != nil {
		logs, _ := os.ReadFile(filepath.Join(c.dir, "nginx.log"))
		t.Fatalf("%v: %s", err, logs)
	}
	return httpClient
}

// waitUntilReady waits until the proxy has a replica that is ready.
func waitUntilReady(ctx context.Context, httpClient *http.Client) error {
	return waitUntil(ctx, func() error { return checkHealth(ctx, httpClient, "https://"+serverName+"/readyz") })
}

// nginxPath returns the path of nginx, which may not be in PATH.
func nginxPath() string {
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx"
	}
	return path
}

// writeCertificate writes a certificate for serverName.
func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{serverName}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	for file, text := range map[string][]byte{"cert.pem": cert, "key.pem": keyPEM} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return roots
}

// killTest sends from several callers through replicas that are killed one after the other.
type killTest struct {
	*testing.T
	cluster    *cluster
	httpClient *http.Client

	finished    atomic.Int64 // sends
	lostReplies atomic.Int64
	kills       atomic.Int64
	killNow     chan struct{}
}

const (
	killCallers    = 8
	sendsPerCaller = 60
	minKills       = 6
)

// Callers send through replicas that are killed one after the other, and repeat a call that
// got no answer. By the sandbox's records no message is charged twice, and each accepted one
// is charged.
func TestReplicas_KilledUnderLoad(t *testing.T) {
	ledger := os.Getenv("WESENDALL_TEST_POSTGRES")
	requireOrSkip(t, "PostgreSQL (WESENDALL_TEST_POSTGRES)", ledger != "")
	_, err := os.Stat(nginxPath())
	requireOrSkip(t, "nginx", err == nil)

	cluster, err := startCluster(t.Context(), t.TempDir(), 3, killCallers, ledger)
	if cluster != nil {
		defer cluster.close()
	}
	if err != nil {
		t.Fatal(err)
	}
	k := &killTest{T: t, cluster: cluster, httpClient: startProxy(t, cluster), killNow: make(chan struct{}, killCallers*sendsPerCaller)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.killReplicas()
	}()
	lastCodes := make([]map[string]string, killCallers)
	var wg sync.WaitGroup
	for i := range killCallers {
		wg.Go(func() { lastCodes[i] = k.sendAll(i) })
	}
	wg.Wait()
	close(k.killNow)
	<-done
	k.checkCharges(lastCodes)
}

// killReplicas kills the next replica and starts it again, each time that killNow says so.
func (k *killTest) killReplicas() {
	for range k.killNow {
		r := k.cluster.replicas[int(k.kills.Add(1))%len(k.cluster.replicas)]
		r.stop(syscall.SIGKILL)
		if err := k.cluster.startReplica(context.WithoutCancel(k.Context()), r); err != nil {
			k.Error(err)
			return
		}
	}
}

// sendAll makes the sends of one caller. It returns the last code of each message.
func (k *killTest) sendAll(number int) map[string]string {
	lastCodes := map[string]string{}
	c := &caller{k.httpClient, k.cluster.tokens[number]}
	for n := range sendsPerCaller {
		message := fmt.Sprintf("Hi %d from %d", n, number)
		lastCodes[message] = k.sendUntilAnswered(c, message)
		if k.finished.Add(1)%(killCallers*sendsPerCaller/(minKills+1)) == 0 {
			k.killNow <- struct{}{} // after a number of sends, not after a time
		}
	}
	return lastCodes
}

// sendUntilAnswered repeats a send until its outcome is known or recorded, and returns the
// last code.
func (k *killTest) sendUntilAnswered(c *caller, message string) string {
	code := "no answer"
	for range 50 {
		arguments := map[string]any{"recipient": "+256700000010", "message": message}
		got, err := c.call(k.Context(), "https://"+serverName+"/mcp", "send_sms", arguments)
		if err != nil {
			k.lostReplies.Add(1) // the message may have been sent: only the ledger knows
			code = err.Error()
			if err := waitUntilReady(k.Context(), k.httpClient); err != nil {
				k.Error(err)
			}
			continue
		}
		code = got.Code
		if code == "" || code == "duplicate_send" || code == "outcome_unknown" {
			break
		}
	}
	return code
}

func (k *killTest) checkCharges(lastCodes []map[string]string) {
	k.Helper()
	charged := k.cluster.chargeCounts(k.T)
	accepted := 0
	for _, codes := range lastCodes {
		for message, code := range codes {
			switch count := charged[message]; {
			case count > 1:
				k.Errorf("%q was charged %d times", message, count)
			case code == "" && count != 1:
				k.Errorf("%q was accepted and charged %d times", message, count)
			case code != "" && code != "duplicate_send" && code != "outcome_unknown":
				k.Errorf("%q ended with %q", message, code)
			case code == "":
				accepted++
			}
		}
	}
	const sends = killCallers * sendsPerCaller
	k.Logf("%d sends, %d accepted at once, %d calls without an answer, %d kills, %d charged",
		sends, accepted, k.lostReplies.Load(), k.kills.Load(), len(charged))
	if k.kills.Load() < minKills || accepted < sends/2 {
		k.Errorf("too little happened: %d kills, %d accepted", k.kills.Load(), accepted)
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
	apiClient, err := client.New(client.Options{
		BaseURL: c.baseURL, APIKey: env["WESENDALL_API_KEY"], APISecret: client.NewSecret(env["WESENDALL_API_SECRET"]),
	})
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
