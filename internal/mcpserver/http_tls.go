package mcpserver

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certCheckInterval is how often the files of a certificate are looked at.
const certCheckInterval = 2 * time.Second

// certReloader is a pair of files that somebody renews now and then.
type certReloader struct {
	files  [2]string
	logger *slog.Logger
	now    func() time.Time

	mu        sync.Mutex
	cert      *tls.Certificate
	stats     [2]os.FileInfo
	checkedAt time.Time
}

// NewReloadingTLSConfig is how a server speaks TLS with a certificate of two files, which
// are read again when they change.
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

// reload reads the pair.
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

// get is the pair as it is now, or as it last was whole.
func (c *certReloader) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.checkedAt) < certCheckInterval || !c.changed() {
		return c.cert
	}
	if err := c.reload(); err != nil {
		c.logger.Error("the new certificate cannot be used; the old one is", "error", err)
	} else {
		c.logger.Info("the certificate was read again", "file", c.files[0])
	}
	return c.cert
}

func (c *certReloader) changed() bool {
	c.checkedAt = c.now()
	for i, name := range c.files {
		info, err := os.Stat(name)
		if err != nil || !os.SameFile(info, c.stats[i]) || !info.ModTime().Equal(c.stats[i].ModTime()) || info.Size() != c.stats[i].Size() {
			return true
		}
	}
	return false
}
