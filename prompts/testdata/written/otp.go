// Written from the generated prompt alone (use case otp, Go, no framework).
// Mended by hand after the prompt was: HTTP/1.1 alone.
// One-time codes by SMS: `otp request NUMBER` and `otp verify NUMBER CODE`.
package main

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	lifetime = 300 // seconds
	cooldown = 60
	hour     = 3600
	perHour  = 5
	tries    = 5
)

var refusals = map[string]int{
	"invalid_credentials": 401, "key_revoked": 401, "wallet_forbidden": 403,
	"insufficient_balance": 402, "validation_failed": 422, "send_failed": 502,
}

// wesendallError has the outcome refused, failed (nothing happened) or unknown (it may have).
type wesendallError struct{ outcome, code string }

func (e *wesendallError) Error() string { return e.outcome + ": " + e.code }

type wesendall struct {
	base, key, secret, wallet string
	http                      *http.Client
}

// post makes one request, on a connection of its own.
func (w *wesendall) post(number, message string) error {
	body, err := json.Marshal(map[string]string{"walletId": w.wallet, "recipient": number, "message": message})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, w.base+"/api/v1/sms/send", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(w.key, w.secret)
	res, err := w.http.Do(req)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			return &wesendallError{"failed", ""}
		}
		return &wesendallError{"unknown", ""}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return &wesendallError{"unknown", ""}
	}
	var answer struct {
		Success *bool
		Error   struct{ Code string }
		Code    string
	}
	_ = json.Unmarshal(text, &answer)
	if res.StatusCode/100 == 2 && json.Valid(text) && (answer.Success == nil || *answer.Success) {
		return nil
	}
	code := cmp.Or(answer.Error.Code, answer.Code)
	if refusals[code] == res.StatusCode {
		return &wesendallError{"refused", code}
	}
	return &wesendallError{"unknown", code}
}

// send repeats once after send_failed, and never else: there is one recipient.
func (w *wesendall) send(number, message string) error {
	err := w.post(number, message)
	var failure *wesendallError
	if errors.As(err, &failure) && *failure == (wesendallError{"refused", "send_failed"}) {
		time.Sleep(250*time.Millisecond + rand.N(500*time.Millisecond))
		err = w.post(number, message)
	}
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

// entry is what is kept of one number.
type entry struct {
	Asked   []int64
	Hash    string // "" once the code is of no more use
	Expires int64
	Wrong   int
	Outcome string
}

type program struct {
	path    string
	key     []byte
	now     int64
	entries map[string]*entry
}

func (p *program) save() error {
	text, err := json.Marshal(p.entries)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(p.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(p.path+".new", p.path)
}

func (p *program) hashed(number, code string) string {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(number + " " + code))
	return hex.EncodeToString(mac.Sum(nil))
}

func (p *program) request(api *wesendall, text string) (status, code string, err error) {
	number := e164(text)
	if number == "" {
		return "invalid", "", nil
	}
	e := p.entries[number]
	if e == nil {
		e = &entry{}
		p.entries[number] = e
	}
	e.Asked = slices.DeleteFunc(e.Asked, func(at int64) bool { return p.now-at >= hour })
	if len(e.Asked) >= perHour || slices.ContainsFunc(e.Asked, func(at int64) bool { return p.now-at < cooldown }) {
		return "limited", "", nil
	}
	n, err := crand.Int(crand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", "", err
	}
	secret := fmt.Sprintf("%06d", n)
	*e = entry{append(e.Asked, p.now), p.hashed(number, secret), p.now + lifetime, 0, "sending"}
	if err := p.save(); err != nil { // before the call, so that a crash leaves a trace
		return "", "", err
	}
	e.Outcome = "sent"
	err = api.send(number, "Your App code is "+secret+". It expires in 5 minutes. Tell it to nobody.")
	var failure *wesendallError
	switch {
	case errors.As(err, &failure):
		e.Outcome, code = failure.outcome, failure.code
		if failure.outcome != "unknown" {
			e.Hash = ""
		}
	case err != nil:
		return "", "", err
	}
	return e.Outcome, code, p.save()
}

func (p *program) verify(text, code string) (string, error) {
	number := e164(text)
	e := p.entries[number]
	switch {
	case e == nil || e.Hash == "":
		return "ended", nil
	case p.now >= e.Expires:
		return "expired", nil
	}
	status := "wrong"
	if hmac.Equal([]byte(e.Hash), []byte(p.hashed(number, code))) {
		status = "right"
	} else {
		e.Wrong++
	}
	if status == "right" || e.Wrong >= tries {
		e.Hash = ""
	}
	return status, p.save()
}

func run(args []string) (int, error) {
	for _, name := range []string{"WESENDALL_API_KEY", "WESENDALL_API_SECRET", "WESENDALL_WALLET_ID", "OTP_STORE", "OTP_KEY"} {
		if os.Getenv(name) == "" {
			return 1, errors.New("set " + name)
		}
	}
	p := &program{path: os.Getenv("OTP_STORE"), key: []byte(os.Getenv("OTP_KEY")), now: time.Now().Unix(), entries: map[string]*entry{}}
	if text := os.Getenv("OTP_NOW"); text != "" {
		now, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 1, err
		}
		p.now = now
	}
	stored, err := os.ReadFile(p.path)
	if err == nil {
		err = json.Unmarshal(stored, &p.entries)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 1, err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(true)
	api := &wesendall{
		cmp.Or(os.Getenv("WESENDALL_BASE_URL"), "https://www.wesendall.com"),
		os.Getenv("WESENDALL_API_KEY"), os.Getenv("WESENDALL_API_SECRET"), os.Getenv("WESENDALL_WALLET_ID"),
		&http.Client{
			Timeout:       45 * time.Second,
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	var status, code string
	switch {
	case len(args) == 2 && args[0] == "request":
		status, code, err = p.request(api, args[1])
	case len(args) == 3 && args[0] == "verify":
		status, err = p.verify(args[1], args[2])
	default:
		err = errors.New("usage: otp request NUMBER | otp verify NUMBER CODE")
	}
	if err != nil {
		return 1, err
	}
	exit := map[string]int{"sent": 0, "right": 0, "unknown": 3}
	number, ok := exit[status]
	if !ok {
		number = 1
	}
	return number, json.NewEncoder(os.Stdout).Encode(map[string]string{"status": status, "code": code})
}

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}
