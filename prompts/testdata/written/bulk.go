// Written from the generated prompt alone (use case bulk, Go, no framework).
// Mended by hand after the prompt was: HTTP/1.1 alone.
// One message to many: `bulk plan LIST MESSAGE JOURNAL` and `bulk send JOURNAL COST`.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

var refusals = map[string]int{
	"invalid_credentials": 401, "key_revoked": 401, "wallet_forbidden": 403,
	"insufficient_balance": 402, "validation_failed": 422, "send_failed": 502,
}

// wesendallError has the outcome refused, failed (nothing happened) or unknown (it may have).
type wesendallError struct {
	outcome, code string
	status        int
	retryAfter    time.Duration
}

func (e *wesendallError) Error() string { return e.outcome + ": " + cmp.Or(e.code, "no answer") }

type wesendall struct{ base, key, secret, wallet string }

// call makes one request, on a connection of its own.
func (w *wesendall) call(method, path string, params map[string]any) (json.RawMessage, error) {
	address, limit, otherwise := w.base+path, 45*time.Second, "unknown"
	var body io.Reader
	if method == http.MethodGet {
		address += "?" + url.Values{"walletId": {w.wallet}}.Encode()
		limit, otherwise = 30*time.Second, "failed"
	} else {
		params["walletId"] = w.wallet
		text, err := json.Marshal(params)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(w.key, w.secret)
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(true)
	client := &http.Client{
		Timeout:       limit,
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			otherwise = "failed"
		}
		return nil, &wesendallError{outcome: otherwise}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, &wesendallError{outcome: otherwise}
	}
	var answer struct {
		Success *bool
		Data    json.RawMessage
		Error   struct{ Code string }
		Code    string
	}
	_ = json.Unmarshal(text, &answer)
	if res.StatusCode/100 == 2 && json.Valid(text) && (answer.Success == nil || *answer.Success) {
		if answer.Data != nil {
			return answer.Data, nil
		}
		return text, nil
	}
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	failure := &wesendallError{otherwise, cmp.Or(answer.Error.Code, answer.Code), res.StatusCode, time.Duration(seconds) * time.Second}
	if refusals[failure.code] == failure.status {
		failure.outcome = "refused"
	}
	return nil, failure
}

// again makes a call, and a second time where the first failure allows it.
func again(call func() (json.RawMessage, error), allowed func(*wesendallError) bool) (json.RawMessage, error) {
	data, err := call()
	var failure *wesendallError
	if errors.As(err, &failure) && allowed(failure) {
		time.Sleep(250*time.Millisecond + rand.N(500*time.Millisecond) + failure.retryAfter)
		return call()
	}
	return data, err
}

type account struct {
	Balance float64
	Price   float64 `json:"cost_per_sms"`
}

func (w *wesendall) balance() (a account, err error) {
	data, err := again(
		func() (json.RawMessage, error) { return w.call(http.MethodGet, "/api/v1/account/balance", nil) },
		func(e *wesendallError) bool { return slices.Contains([]int{0, 429, 500, 502, 503, 504}, e.status) },
	)
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	return a, err
}

func (w *wesendall) send(numbers []string, message string) error {
	_, err := again(
		func() (json.RawMessage, error) {
			return w.call(http.MethodPost, "/api/v1/sms/send", map[string]any{"recipient": numbers, "message": message})
		},
		func(e *wesendallError) bool {
			return len(numbers) == 1 && e.outcome == "refused" && e.code == "send_failed"
		},
	)
	return err
}

var (
	between = regexp.MustCompile(`[\s\-.()]`)
	ugandan = regexp.MustCompile(`^(?:\+?256(\d{9})|0?(7\d{8}))$`)
)

// e164 is a Ugandan number, or "".
func e164(text string) string {
	digits := between.ReplaceAllString(text, "")
	if rest, ok := strings.CutPrefix(digits, "00"); ok {
		digits = "+" + rest
	}
	match := ugandan.FindStringSubmatch(digits)
	if match == nil {
		return ""
	}
	return "+256" + match[1] + match[2]
}

// batch is pending, sending, sent, refused or unknown.
type batch struct {
	Numbers []string
	State   string
}

type journal struct {
	Message string
	Units   int
	Price   float64
	Cost    int64
	Batches []*batch
	path    string
}

func (j *journal) save() error {
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(j.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(j.path+".new", j.path)
}

type drop struct {
	Number string `json:"number"`
	Why    string `json:"why"`
}

func plan(api *wesendall, list, message, path string, size int) error {
	if _, err := os.Stat(path); err == nil {
		return errors.New(path + " is there already: it may be of a send that has begun")
	}
	length := len(utf16.Encode([]rune(message)))
	if length < 1 || length > 1600 {
		return fmt.Errorf("the message has %d UTF-16 code units; 1 to 1,600 are allowed", length)
	}
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	var people []string
	dropped := []drop{}
	for line := range strings.SplitSeq(string(text), "\n") {
		line = strings.TrimSpace(line)
		switch number := e164(line); {
		case line == "":
		case number == "":
			dropped = append(dropped, drop{line, "not a Ugandan number"})
		case slices.Contains(people, number):
			dropped = append(dropped, drop{line, "twice"})
		default:
			people = append(people, number)
		}
	}
	a, err := api.balance()
	if err != nil {
		return err
	}
	units := (length + 159) / 160
	j := &journal{message, units, a.Price, int64(math.Ceil(float64(units*len(people)) * a.Price)), nil, path}
	for numbers := range slices.Chunk(people, size) {
		j.Batches = append(j.Batches, &batch{numbers, "pending"})
	}
	if err := j.save(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"people": len(people), "units": units, "cost": j.Cost, "balance": a.Balance,
		"balance_after": a.Balance - float64(j.Cost), "dropped": dropped,
	})
}

// send returns the exit code.
func send(api *wesendall, path, confirmed string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 1, err
	}
	j := &journal{path: path}
	if err := json.Unmarshal(text, j); err != nil {
		return 1, err
	}
	people := 0
	for _, b := range j.Batches {
		switch b.State {
		case "sending":
			b.State = "unknown" // the program ended before its outcome was known
		case "pending":
			people += len(b.Numbers)
		}
	}
	if err := j.save(); err != nil {
		return 1, err
	}
	if people > 0 {
		a, err := api.balance()
		if err != nil {
			return 1, err
		}
		if strconv.FormatInt(j.Cost, 10) != confirmed || a.Price != j.Price || a.Balance < float64(people*j.Units)*a.Price {
			return 1, json.NewEncoder(os.Stdout).Encode(map[string]string{"status": "stopped"})
		}
	}
	for _, b := range j.Batches {
		if b.State != "pending" {
			continue
		}
		b.State = "sending"
		if err := j.save(); err != nil {
			return 1, err
		}
		b.State = "sent"
		var failure *wesendallError
		if err := api.send(b.Numbers, j.Message); errors.As(err, &failure) {
			fmt.Fprintln(os.Stderr, failure)
			if b.State = failure.outcome; b.State == "failed" {
				b.State = "pending"
			}
		} else if err != nil {
			return 1, err
		}
		if err := j.save(); err != nil {
			return 1, err
		}
		if b.State != "sent" {
			break
		}
	}
	counts := map[string]any{"sent": 0, "refused": 0, "unknown": 0, "pending": 0}
	for _, b := range j.Batches {
		counts[b.State] = counts[b.State].(int) + 1
	}
	exit, status := 1, "incomplete"
	switch {
	case counts["sent"] == len(j.Batches):
		exit, status = 0, "sent"
	case counts["unknown"] != 0:
		exit, status = 3, "unknown"
	}
	counts["status"] = status
	return exit, json.NewEncoder(os.Stdout).Encode(counts)
}

func run(args []string) (int, error) {
	for _, name := range []string{"WESENDALL_API_KEY", "WESENDALL_API_SECRET", "WESENDALL_WALLET_ID"} {
		if os.Getenv(name) == "" {
			return 1, errors.New("set " + name)
		}
	}
	size, err := strconv.Atoi(cmp.Or(os.Getenv("BULK_BATCH"), "500"))
	if err != nil || size < 1 {
		return 1, errors.New("BULK_BATCH must be a number from 1")
	}
	api := &wesendall{
		cmp.Or(os.Getenv("WESENDALL_BASE_URL"), "https://www.wesendall.com"),
		os.Getenv("WESENDALL_API_KEY"), os.Getenv("WESENDALL_API_SECRET"), os.Getenv("WESENDALL_WALLET_ID"),
	}
	switch {
	case len(args) == 4 && args[0] == "plan":
		if err := plan(api, args[1], args[2], args[3], size); err != nil {
			return 1, err
		}
		return 0, nil
	case len(args) == 3 && args[0] == "send":
		return send(api, args[1], args[2])
	}
	return 1, errors.New("usage: bulk plan LIST MESSAGE JOURNAL | bulk send JOURNAL COST")
}

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}
