package mcpserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificateFiles writes a certificate for loopback and its key, and returns a pool
// that trusts it.
func certificateFiles(t *testing.T, dir, name string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	privateKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &privateKey.PublicKey, privateKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(privateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := errors.Join(os.WriteFile(cert, certPEM, 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600)); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pool
}

func TestTLS_Reload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key, _ := certificateFiles(t, dir, "one")
	at := time.Now()
	c := &certReloader{files: [2]string{cert, key}, logger: slog.New(slog.DiscardHandler),
		now: func() time.Time { return at }}
	if err := c.reload(); err != nil {
		t.Fatal(err)
	}
	s := startHTTPServer(t, newFake(), func(o *HTTPOptions) { o.TLS = c.tlsConfig() })
	address := strings.TrimPrefix(s.url, "https://")
	shown := func() string {
		t.Helper()
		//nolint:gosec // the test checks the certificate itself
		dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		conn, err := dialer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	look := func() string { t.Helper(); at = at.Add(certCheckInterval); return shown() }
	if name := look(); name != "one" {
		t.Error(name)
	}
	whole, err := os.ReadFile(cert) //nolint:gosec // of this test
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if name := look(); name != "one" {
		t.Errorf("with a broken file: %s", name)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if name := look(); name != "one" {
		t.Errorf("without a key: %s", name)
	}
	certificateFiles(t, dir, "two")
	if name := look(); name != "two" {
		t.Errorf("with new files: %s", name)
	}
	if err := os.WriteFile(cert, whole, 0o600); err != nil { // does not match the key
		t.Fatal(err)
	}
	if name := look(); name != "two" {
		t.Errorf("with a certificate of another key: %s", name)
	}
	if _, err := NewReloadingTLSConfig(cert, key, nil); err == nil {
		t.Error("a server starts with files that do not fit")
	}
}

func TestTLS_MinVersion(t *testing.T) {
	t.Parallel()
	cert, key, _ := certificateFiles(t, t.TempDir(), "one")
	config, err := NewReloadingTLSConfig(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := startHTTPServer(t, newFake(), func(o *HTTPOptions) { o.TLS = config })
	//nolint:gosec // the server must refuse it
	old := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}}
	if conn, err := old.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "https://")); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
}
