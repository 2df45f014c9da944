package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// testEnv is a sandbox behind real HTTP, with a clock that the test moves and ids
// that count up for each prefix.
type testEnv struct {
	*testing.T
	*Sandbox
	url     string
	elapsed atomic.Int64
}

func newTestEnv(t *testing.T, o Options) *testEnv {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	env := &testEnv{T: t, Sandbox: s}
	s.now = func() time.Time {
		return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(env.elapsed.Load()))
	}
	if o.DB == "" { // in a file that is opened again they would collide
		s.newID = newCountingIDs()
	}
	server := httptest.NewServer(s)
	env.url = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return env
}

func newCountingIDs() func(string) string {
	var mu sync.Mutex
	counts := map[string]int{}
	return func(prefix string) string {
		mu.Lock()
		defer mu.Unlock()
		counts[prefix]++
		return fmt.Sprintf("%s%d", prefix, counts[prefix])
	}
}

func (env *testEnv) advance(d time.Duration) { env.elapsed.Add(int64(d)) }

// response is what one call returned.
type response struct {
	status int
	header http.Header
	body   string
}

func (a response) errorCode() string {
	var body envelope
	if json.Unmarshal([]byte(a.body), &body) != nil || body.Error == nil {
		return ""
	}
	return body.Error.Code
}

// do calls "METHOD /path" with the sandbox's key. It adds the wallet to a {…} body or a query
// that names none.
func (env *testEnv) do(call, body string) response {
	env.Helper()
	resp, err := env.doWithKey(call, body, APIKey, APISecret)
	if err != nil {
		env.Fatal(err)
	}
	return resp
}

func (env *testEnv) doWithKey(call, body, key, secret string) (response, error) {
	method, path, _ := strings.Cut(call, " ")
	if method == http.MethodGet && !strings.Contains(path, "walletId") {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		path += separator + "walletId=" + WalletID
	}
	if rest, ok := strings.CutPrefix(body, "{"); ok && !strings.Contains(body, `"walletId"`) {
		body = strings.Replace(`{"walletId":"`+WalletID+`",`+rest, ",}", "}", 1)
	}
	req, err := http.NewRequestWithContext(env.Context(), method, env.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return response{}, err
	}
	if key != "" {
		req.SetBasicAuth(key, secret)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	return response{res.StatusCode, res.Header, strings.TrimSpace(string(raw))}, err
}

// decodeData decodes the data of an answer.
func decodeData[T any](env *testEnv, resp response) T {
	env.Helper()
	var body struct{ Data T }
	if err := json.Unmarshal([]byte(resp.body), &body); err != nil || resp.status != http.StatusOK {
		env.Fatalf("%d %s: %v", resp.status, resp.body, err)
	}
	return body.Data
}

func (env *testEnv) balance() int64 {
	env.Helper()
	return decodeData[balanceResponse](env, env.do("GET /account/balance", "")).Balance
}

// sentMessages is "phone status cost" of the newest hundred messages.
func (env *testEnv) sentMessages() []string {
	env.Helper()
	history := decodeData[struct {
		Messages []struct {
			Phone, Status string
			Cost          int
		}
	}](env, env.do("GET /sms/history?per_page=100", ""))
	var lines []string
	for _, m := range history.Messages {
		lines = append(lines, fmt.Sprintf("%s %s %d", m.Phone, m.Status, m.Cost))
	}
	return lines
}

// expect fails the test unless the answer has this status and this whole body.
func (env *testEnv) expect(resp response, status int, body string) {
	env.Helper()
	if resp.status != status || resp.body != body {
		env.Errorf("got  %d %s\nwant %d %s", resp.status, resp.body, status, body)
	}
}

// expectRejected fails the test unless the answer is validation_failed with this message.
func (env *testEnv) expectRejected(resp response, message string) {
	env.Helper()
	quoted, err := json.Marshal(message)
	if err != nil {
		env.Fatal(err)
	}
	env.expect(resp, http.StatusUnprocessableEntity,
		`{"success":false,"error":{"code":"validation_failed","message":`+string(quoted)+`}}`)
}
