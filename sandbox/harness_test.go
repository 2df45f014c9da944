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

// rig is a sandbox behind real HTTP, with a clock that the test moves and ids
// that count up for each prefix.
type rig struct {
	*testing.T
	*Sandbox
	url     string
	elapsed atomic.Int64
}

func newRig(t *testing.T, o Options) *rig {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, Sandbox: s}
	s.now = func() time.Time {
		return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(r.elapsed.Load()))
	}
	if o.DB == "" { // in a file that is opened again they would collide
		s.newID = countingIDs()
	}
	server := httptest.NewServer(s)
	r.url = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func countingIDs() func(string) string {
	var mu sync.Mutex
	seen := map[string]int{}
	return func(prefix string) string {
		mu.Lock()
		defer mu.Unlock()
		seen[prefix]++
		return fmt.Sprintf("%s%d", prefix, seen[prefix])
	}
}

func (r *rig) pass(d time.Duration) { r.elapsed.Add(int64(d)) }

// answer is what one call got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) code() string {
	var body envelope
	if json.Unmarshal([]byte(a.body), &body) != nil || body.Error == nil {
		return ""
	}
	return body.Error.Code
}

// do calls "METHOD /path" with the sandbox's own key. A {…} body gets our wallet
// unless it names one, and so does a query.
func (r *rig) do(call, body string) answer {
	r.Helper()
	a, err := r.try(call, body, APIKey, APISecret)
	if err != nil {
		r.Fatal(err)
	}
	return a
}

func (r *rig) try(call, body, key, secret string) (answer, error) {
	method, path, _ := strings.Cut(call, " ")
	if method == http.MethodGet && !strings.Contains(path, "walletId") {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + "walletId=" + WalletID
	}
	if rest, ok := strings.CutPrefix(body, "{"); ok && !strings.Contains(body, `"walletId"`) {
		body = strings.Replace(`{"walletId":"`+WalletID+`",`+rest, ",}", "}", 1)
	}
	req, err := http.NewRequestWithContext(r.Context(), method, r.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if key != "" {
		req.SetBasicAuth(key, secret)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, strings.TrimSpace(string(text))}, err
}

// read decodes the data of an answer.
func read[T any](r *rig, a answer) T {
	r.Helper()
	var body struct{ Data T }
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.status != http.StatusOK {
		r.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return body.Data
}

func (r *rig) funds() int64 {
	r.Helper()
	return read[balance](r, r.do("GET /account/balance", "")).Balance
}

// outbox is "phone status cost" of the newest hundred messages.
func (r *rig) outbox() []string {
	r.Helper()
	history := read[struct {
		Messages []struct {
			Phone, Status string
			Cost          int
		}
	}](r, r.do("GET /sms/history?per_page=100", ""))
	var lines []string
	for _, m := range history.Messages {
		lines = append(lines, fmt.Sprintf("%s %s %d", m.Phone, m.Status, m.Cost))
	}
	return lines
}

// wants fails the test unless the answer has this status and this whole body.
func (r *rig) wants(a answer, status int, body string) {
	r.Helper()
	if a.status != status || a.body != body {
		r.Errorf("got  %d %s\nwant %d %s", a.status, a.body, status, body)
	}
}

// refuses fails the test unless the answer is validation_failed with this message.
func (r *rig) refuses(a answer, message string) {
	r.Helper()
	quoted, err := json.Marshal(message)
	if err != nil {
		r.Fatal(err)
	}
	r.wants(a, http.StatusUnprocessableEntity,
		`{"success":false,"error":{"code":"validation_failed","message":`+string(quoted)+`}}`)
}
