package sampletest

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
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

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// HTTP2ResetServer is an API over TLS that speaks HTTP/2 to whoever offers it. It
// answers a GET with the balance. The first request with a body it takes in
// whole, and then resets it with PROTOCOL_ERROR, after which some clients make
// it again by themselves; that one it answers.
type HTTP2ResetServer struct {
	URL string
	Env []string // has the programs trust its certificate

	posts atomic.Int64
}

// NewHTTP2ResetServer starts one.
func NewHTTP2ResetServer(t *testing.T) *HTTP2ResetServer {
	t.Helper()
	certServer := httptest.NewTLSServer(http.NotFoundHandler()) // of its certificate
	certServer.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: certServer.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	dir := t.TempDir()
	file := filepath.Join(dir, "certificate.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certServer.Certificate().Raw})
	if err := errors.Join(os.WriteFile(file, certPEM, 0o600), os.WriteFile(filepath.Join(dir, "curl.ini"), []byte("curl.cainfo="+file+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s := &HTTP2ResetServer{URL: "https://" + listener.Addr().String(), Env: []string{
		"SSL_CERT_FILE=" + file, "CURL_CA_BUNDLE=" + file, "NODE_EXTRA_CA_CERTS=" + file, "PHP_INI_SCAN_DIR=:" + dir,
	}}
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

// PostCount is how many requests with a body came in whole.
func (s *HTTP2ResetServer) PostCount() int { return int(s.posts.Load()) }

var balanceBody = fmt.Sprintf(`{"success":true,"data":{"wallet_id":%q,"balance":%d,"currency":"UGX","cost_per_sms":%d}}`,
	sandbox.WalletID, sandbox.DefaultBalance, sandbox.CostPerSMS)

func (s *HTTP2ResetServer) serve(conn *tls.Conn) {
	defer func() { _ = conn.Close() }()
	if conn.Handshake() != nil {
		return
	}
	if conn.ConnectionState().NegotiatedProtocol == "h2" {
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
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(balanceBody), balanceBody)
	}
}

// The frames of HTTP/2 that are needed, by their numbers in RFC 9113.
const (
	dataFrame, headersFrame, resetFrame, settingsFrame = 0, 1, 3, 4

	flagEndStream, flagAck, flagEndHeaders = 1, 1, 4
)

// serveHTTP2 speaks as much of HTTP/2 as the answers take. Headers are not read:
// whoever ends the stream with them sends no body, and so asks for the balance.
func (s *HTTP2ResetServer) serveHTTP2(conn net.Conn) error {
	write := func(frameType, flags byte, stream uint32, payload ...byte) error {
		header := []byte{0, byte(len(payload) >> 8 & 0xff), byte(len(payload) & 0xff), frameType, flags}
		_, err := conn.Write(append(binary.BigEndian.AppendUint32(header, stream), payload...))
		return err
	}
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return err
	}
	respond := func(stream uint32) error {
		const status200 = 0x88 // in the static table of RFC 7541
		return errors.Join(write(headersFrame, flagEndHeaders, stream, status200), write(dataFrame, flagEndStream, stream, []byte(balanceBody)...))
	}
	err := write(settingsFrame, 0, 0)
	for err == nil {
		var header [9]byte
		if _, err = io.ReadFull(conn, header[:]); err != nil {
			return err
		}
		if _, err = io.CopyN(io.Discard, conn, int64(header[0])<<16|int64(header[1])<<8|int64(header[2])); err != nil {
			return err
		}
		frameType, flags, stream := header[3], header[4], binary.BigEndian.Uint32(header[5:])
		switch {
		case frameType == settingsFrame && flags&flagAck == 0:
			err = write(settingsFrame, flagAck, 0)
		case frameType == headersFrame && flags&flagEndStream != 0:
			err = respond(stream)
		case frameType == dataFrame && flags&flagEndStream != 0 && s.posts.Add(1) == 1:
			err = write(resetFrame, 0, stream, 0, 0, 0, 1) // PROTOCOL_ERROR
		case frameType == dataFrame && flags&flagEndStream != 0:
			err = respond(stream)
		}
	}
	return err
}
