package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookTime is how often the files of a certificate are looked at.
const lookTime = 2 * time.Second

// certificate is a pair of files that somebody renews now and then.
type certificate struct {
	files [2]string
	log   *slog.Logger
	now   func() time.Time

	mu     sync.Mutex
	pair   *tls.Certificate
	seen   [2]os.FileInfo
	looked time.Time
}

// Certificate is how a server speaks TLS with a certificate of two files, which
// are read again when they change.
func Certificate(certFile, keyFile string, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{files: [2]string{certFile, keyFile}, log: log, now: time.Now}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c.config(), nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil },
	}
}

// load reads the pair.
func (c *certificate) load() error {
	c.looked = c.now()
	var now [2]os.FileInfo
	for i, name := range c.files {
		var err error
		if now[i], err = os.Stat(name); err != nil {
			return err
		}
	}
	c.seen = now
	pair, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return fmt.Errorf("%s and %s: %w", c.files[0], c.files[1], err)
	}
	c.pair = &pair
	return nil
}

// current is the pair as it is now, or as it last was whole.
func (c *certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.looked) < lookTime || !c.changed() {
		return c.pair
	}
	if err := c.load(); err != nil {
		c.log.Error("the new certificate cannot be used; the old one is", "error", err)
	} else {
		c.log.Info("the certificate was read again", "file", c.files[0])
	}
	return c.pair
}

func (c *certificate) changed() bool {
	c.looked = c.now()
	for i, name := range c.files {
		info, err := os.Stat(name)
		if err != nil || !os.SameFile(info, c.seen[i]) || !info.ModTime().Equal(c.seen[i].ModTime()) || info.Size() != c.seen[i].Size() {
			return true
		}
	}
	return false
}
