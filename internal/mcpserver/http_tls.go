package mcpserver

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certCheckInterval is the minimum time between two checks of the files.
const certCheckInterval = 2 * time.Second

// certReloader reads a certificate and its key again when the files change, so that
// a renewal needs no restart. Neither crypto/tls nor mcp-go v1.2.1 has this.
type certReloader struct {
	files  [2]string
	logger *slog.Logger
	now    func() time.Time

	mu        sync.Mutex
	cert      *tls.Certificate
	stats     [2]os.FileInfo
	checkedAt time.Time
}

// NewReloadingTLSConfig returns a TLS configuration whose certificate and key are
// read again when their files change. If the new pair is invalid, the old one stays.
func NewReloadingTLSConfig(certFile, keyFile string, logger *slog.Logger) (*tls.Config, error) {
	c := &certReloader{files: [2]string{certFile, keyFile}, logger: logger, now: time.Now}
	if err := c.reload(); err != nil {
		return nil, err
	}
	return c.tlsConfig(), nil
}

func (c *certReloader) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil },
	}
}

// reload reads both files.
func (c *certReloader) reload() error {
	c.checkedAt = c.now()
	var stats [2]os.FileInfo
	for i, name := range c.files {
		var err error
		if stats[i], err = os.Stat(name); err != nil {
			return err
		}
	}
	c.stats = stats
	cert, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return fmt.Errorf("%s and %s: %w", c.files[0], c.files[1], err)
	}
	c.cert = &cert
	return nil
}

// get returns the current certificate, or the last valid one.
func (c *certReloader) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.checkedAt) < certCheckInterval || !c.changed() {
		return c.cert
	}
	if err := c.reload(); err != nil {
		c.logger.Error("the new certificate cannot be used; the old one stays in use", "error", err)
	} else {
		c.logger.Info("the certificate was read again", "file", c.files[0])
	}
	return c.cert
}

func (c *certReloader) changed() bool {
	c.checkedAt = c.now()
	for i, name := range c.files {
		info, err := os.Stat(name)
		if err != nil || !os.SameFile(info, c.stats[i]) ||
			!info.ModTime().Equal(c.stats[i].ModTime()) || info.Size() != c.stats[i].Size() {
			return true
		}
	}
	return false
}
