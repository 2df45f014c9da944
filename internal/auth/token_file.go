package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

const maxTokenFileBytes = 1 << 20

// TokenFile accepts the bearer tokens of a file that the operator keeps. Their holders use the
// server's own credentials. The file is read at each request.
type TokenFile struct {
	path   string
	client guard.API
	wallet string
	limits guard.Limits
	log    *slog.Logger

	mu      sync.Mutex
	tokens  []token
	present bool        // there is a file
	content string      // as it was last read
	mode    fs.FileMode // as it was last read
}

// OpenTokenFile reads the file. Its errors name the line and never quote it. No token's limit
// may be above limits, which are the server's.
func OpenTokenFile(
	path string, api guard.API, wallet string, limits guard.Limits, log *slog.Logger,
) (*TokenFile, error) {
	f := &TokenFile{path: path, client: api, wallet: wallet, limits: limits, log: log}
	info, content, err := readTokenFile(path)
	if err != nil {
		return nil, err
	}
	f.present, f.content, f.mode = true, content, info.Mode()
	if f.tokens, err = parseTokenFile(content, limits); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if n := f.CountWithoutID(); n > 0 && log != nil {
		log.Warn("the ledger knows some tokens by their names, so that a new name gets a new budget: add id=NAME to their lines",
			"file", path, "tokens", n)
	}
	return f, nil
}

// CountWithoutID counts the tokens whose lines have no id.
func (f *TokenFile) CountWithoutID() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, t := range f.tokens {
		if !t.hasID {
			n++
		}
	}
	return n
}

// Challenge returns the WWW-Authenticate header that asks for a token.
func (*TokenFile) Challenge() string { return `Bearer realm="wesendall"` }

// Authenticate finds the token that a request presents. It returns nil and no error if there
// is none.
func (f *TokenFile) Authenticate(h http.Header) (CallerFunc, error) {
	bearer, present, err := authorizationHeader(h, "Bearer")
	if err != nil || !present {
		return nil, err
	}
	match := f.lookup(bearer)
	if match == nil {
		return nil, errors.New("this server does not know the token")
	}
	return func(context.Context) (tools.Caller, error) {
		wallet, err := walletHeader(h)
		if err == nil && wallet != "" && wallet != f.wallet {
			err = errors.New("the " + tools.WalletHeader + " header names another wallet than this server's")
		}
		if err != nil {
			return tools.Caller{}, err
		}
		return tools.Caller{
			ID: match.id, Client: f.client, Wallet: f.wallet, Limits: &match.limits, ReadOnly: match.readOnly,
		}, nil
	}, nil
}

// lookup compares with every token in constant time, so that the time reveals none.
func (f *TokenFile) lookup(bearer string) *token {
	hash := sha256.Sum256([]byte(bearer))
	var match *token
	tokens := f.reload()
	for i := range tokens {
		if subtle.ConstantTimeCompare(hash[:], tokens[i].hash[:]) == 1 {
			match = &tokens[i]
		}
	}
	return match
}

// reload returns the tokens of the file as it is now. If the file has an error, it returns the
// earlier tokens whose lines are still there; without a file, none. It reads the file each time:
// neither time nor size tell whether a file is still the same.
func (f *TokenFile) reload() []token {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, content, err := readTokenFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if f.present {
			f.log.Error("the token file is gone: no token is accepted", "file", f.path)
		}
		f.present, f.content, f.mode, f.tokens = false, "", 0, nil
		return nil
	case info == nil: // it cannot be opened
		if f.mode != 0 {
			f.log.Error("the token file cannot be read: the earlier tokens are accepted", "file", f.path, "error", err)
		}
		f.mode = 0
		return f.tokens
	case f.present && content == f.content && info.Mode() == f.mode:
		return f.tokens
	}
	f.present, f.content, f.mode = true, content, info.Mode()
	var tokens []token
	if err == nil {
		tokens, err = parseTokenFile(content, f.limits)
	}
	if err == nil {
		f.log.Info("the token file was read again", "file", f.path, "tokens", len(tokens))
		f.tokens = tokens
		return tokens
	}
	f.log.Error("the token file has an error: only earlier tokens whose lines are still in it are accepted",
		"file", f.path, "error", err)
	f.tokens = keepPresent(f.tokens, content)
	return f.tokens
}

// keepPresent returns the tokens whose whole lines are in content.
func keepPresent(tokens []token, content string) []token {
	present := map[[sha256.Size]byte]bool{}
	for line := range strings.SplitSeq(content, "\n") {
		present[hashLine(splitLine(line))] = true
	}
	return slices.DeleteFunc(slices.Clone(tokens), func(t token) bool { return !present[t.lineHash] })
}

// readTokenFile reads a file that other users of the machine must not be able to read. info is
// set if the file could be opened, also with an error.
func readTokenFile(path string) (info os.FileInfo, content string, err error) {
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = file.Close() }()
	if info, err = file.Stat(); err != nil {
		return nil, "", err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxTokenFileBytes+1))
	if err != nil {
		return info, "", err
	}
	content = strings.TrimPrefix(string(data), "\ufeff") // a byte order mark; line numbers stay right
	switch {
	case len(data) > maxTokenFileBytes:
		err = fmt.Errorf("%s is longer than %d MiB", path, maxTokenFileBytes>>20)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0:
		err = fmt.Errorf("%s can be read or written by every user of this machine: chmod 600 it", path)
	}
	return info, content, err
}
