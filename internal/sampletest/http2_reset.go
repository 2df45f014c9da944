package sampletest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// HTTP2ResetServer is an API over TLS that also speaks HTTP/2. It answers a GET
// with the balance. It reads the first request with a body to its end and then
// resets it with PROTOCOL_ERROR, which makes some HTTP clients repeat it without
// being asked; it answers the repeated request.
type HTTP2ResetServer struct {
	URL string
	Env []string // environment variables that make programs trust the certificate

	posts atomic.Int64
}

// NewHTTP2ResetServer starts an HTTP2ResetServer, until the test ends.
func NewHTTP2ResetServer(t *testing.T) *HTTP2ResetServer {
	t.Helper()
	certServer := httptest.NewTLSServer(http.NotFoundHandler()) // only its certificate is used
	certServer.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: certServer.TLS.Certificates,
		NextProtos:   []string{http2.NextProtoTLS, "http/1.1"},
		MinVersion:   tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certServer.Certificate().Raw})
	s := &HTTP2ResetServer{URL: "https://" + listener.Addr().String(), Env: trustEnv(t, certPEM)}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn.(*tls.Conn))
		}
	}()
	return s
}

// trustEnv returns the variables that make each language trust a certificate.
func trustEnv(t *testing.T, certPEM []byte) []string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "certificate.pem")
	phpINI := []byte("curl.cainfo=" + file + "\n")
	if err := errors.Join(
		os.WriteFile(file, certPEM, 0o600), os.WriteFile(filepath.Join(dir, "curl.ini"), phpINI, 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return []string{
		"SSL_CERT_FILE=" + file, "CURL_CA_BUNDLE=" + file, "NODE_EXTRA_CA_CERTS=" + file, "PHP_INI_SCAN_DIR=:" + dir,
	}
}

// PostCount counts the requests with a body that were read to their end.
func (s *HTTP2ResetServer) PostCount() int { return int(s.posts.Load()) }

var balanceBody = fmt.Sprintf(
	`{"success":true,"data":{"wallet_id":%q,"balance":%d,"currency":"UGX","cost_per_sms":%d}}`,
	sandbox.WalletID, sandbox.DefaultBalance, sandbox.CostPerSMS)

func (s *HTTP2ResetServer) serve(conn *tls.Conn) {
	defer func() { _ = conn.Close() }()
	if conn.Handshake() != nil {
		return
	}
	if conn.ConnectionState().NegotiatedProtocol == http2.NextProtoTLS {
		_ = s.serveHTTP2(conn)
		return
	}
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return
	}
	if req.Method == http.MethodGet || s.posts.Add(1) > 1 {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
			len(balanceBody), balanceBody)
	}
}

// serveHTTP2 serves one connection frame by frame: an HTTP/2 server of the
// standard library has no way to reset a stream with PROTOCOL_ERROR. The headers
// of requests are not decoded: a request without a body asks for the balance.
func (s *HTTP2ResetServer) serveHTTP2(conn net.Conn) error {
	if _, err := io.CopyN(io.Discard, conn, int64(len(http2.ClientPreface))); err != nil {
		return err
	}
	framer := http2.NewFramer(conn, conn)
	err := framer.WriteSettings()
	for err == nil {
		var frame http2.Frame
		if frame, err = framer.ReadFrame(); err != nil {
			return err
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			if f.StreamEnded() {
				err = respondHTTP2(framer, f.StreamID)
			}
		case *http2.DataFrame:
			switch {
			case !f.StreamEnded():
			case s.posts.Add(1) == 1:
				err = framer.WriteRSTStream(f.StreamID, http2.ErrCodeProtocol)
			default:
				err = respondHTTP2(framer, f.StreamID)
			}
		}
	}
	return err
}

// respondHTTP2 answers a stream with status 200 and the balance.
func respondHTTP2(framer *http2.Framer, streamID uint32) error {
	var headers bytes.Buffer
	return errors.Join(
		hpack.NewEncoder(&headers).WriteField(hpack.HeaderField{Name: ":status", Value: "200"}),
		framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: streamID, BlockFragment: headers.Bytes(), EndHeaders: true,
		}),
		framer.WriteData(streamID, true, []byte(balanceBody)),
	)
}
