// Written from the generated prompt alone (use case otp, Go, no framework).

// Command otp sends one-time codes by SMS through Wesendall, and verifies what
// people type in.
//
//	otp request NUMBER
//	otp verify NUMBER CODE
//
// It prints one JSON line, {"status", "code"}, on stdout; words for people and
// for the operator go to stderr. It exits with 0 for sent and right, 3 for
// unknown, else 1.
//
// Beside the three credentials it reads OTP_STORE (the JSON file of its state),
// OTP_KEY (the key of the hashes), OTP_NOW (the time in Unix seconds, if set)
// and OTP_ASKER (the address or account that asks; by default the user that
// runs it). It locks with flock, so it needs a Unix.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
)

const (
	appName  = "App"
	lifetime = 5 * 60 // seconds, as all times here
	maxWrong = 5

	minute       = 60
	hour         = 60 * minute
	day          = 24 * hour
	hourlyNumber = 5  // codes an hour for a number
	hourlyAsker  = 20 // codes an hour for an address or account

	balanceEvery = hour // how often the balance is read
	minDayCodes  = 20   // what a day needs at least, however quiet the last one was
)

// What the program answers, beside the outcomes of a call.
const (
	sent    = "sent"
	limited = "limited"
	invalid = "invalid"

	right   = "right"
	wrong   = "wrong"
	expired = "expired"
	ended   = "ended"
)

// A result is the line that is printed.
type result struct {
	Status string  `json:"status"`
	Code   *string `json:"code"` // the API's error code, null without one
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("otp: ")
	a := newApp()
	var res result
	switch args := os.Args[1:]; {
	case len(args) == 2 && args[0] == "request":
		res = a.request(args[1])
	case len(args) == 3 && args[0] == "verify":
		res = result{Status: a.verify(args[1], args[2])}
	default:
		log.Fatal("usage: otp request NUMBER | otp verify NUMBER CODE")
	}
	if err := json.NewEncoder(os.Stdout).Encode(res); err != nil {
		log.Print(err)
	}
	switch res.Status {
	case sent:
		a.watchBalance()
	case right:
	case string(unknown):
		os.Exit(3)
	default:
		os.Exit(1)
	}
}

// An app is one run of the program.
type app struct {
	api       *client
	storePath string
	key       []byte
	now       int64
	asker     string
}

func newApp() *app {
	a := &app{
		api:       newClient(),
		storePath: mustEnv("OTP_STORE"),
		key:       []byte(mustEnv("OTP_KEY")),
		now:       time.Now().Unix(),
		asker:     cmp.Or(os.Getenv("OTP_ASKER"), fmt.Sprint("uid ", os.Getuid())),
	}
	if value := os.Getenv("OTP_NOW"); value != "" {
		now, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			log.Fatal("OTP_NOW is not a time in Unix seconds")
		}
		a.now = now
	}
	return a
}

// request sends a new code to a number, unless a limit is reached.
func (a *app) request(input string) result {
	number, ok := normalise(input)
	if !ok {
		log.Printf("%q is not a Ugandan number", input)
		return result{Status: invalid}
	}
	text := newCode()
	code := &oneTimeCode{Hash: a.hash(number, text), Expires: a.now + lifetime, Outcome: "sending"}

	// The code is kept before it is sent: after a crash it stays valid.
	allowed := false
	a.mustUpdate(func(s *state) {
		s.forgetOld(a.now)
		if allowed = s.mayAsk(number, a.asker, a.now); !allowed {
			return
		}
		entry := s.entry(number)
		entry.Asked = append(entry.Asked, a.now)
		entry.Code = code
		s.Askers[a.asker] = append(s.Askers[a.asker], a.now)
	})
	if !allowed {
		log.Print("too many codes were asked for; try again later")
		return result{Status: limited}
	}

	res := result{Status: sent}
	message := fmt.Sprintf("Your %s code is %s. It expires in %d minutes. Tell it to nobody.", appName, text, lifetime/minute)
	if err := a.api.send(message, number); err != nil {
		res = report(err)
	}
	err := a.update(func(s *state) {
		entry := s.entry(number)
		if kept := entry.Code; kept == nil || kept.Hash != code.Hash || kept.Expires != code.Expires {
			return // used, ended or replaced while it was on its way
		}
		entry.Code.Outcome = res.Status
		if res.Status == string(refused) || res.Status == string(failed) {
			entry.Code = nil
		}
	})
	if err != nil {
		log.Print("the outcome could not be kept: ", err)
	}
	return res
}

// report tells the person and the operator how a send ended that was not done.
func report(err error) result {
	log.Print(err)
	failure, ok := errors.AsType[*apiError](err)
	if !ok {
		failure = &apiError{outcome: failed}
	}
	switch failure.outcome {
	case unknown:
		log.Print("the code may still arrive; if it does not, ask for another after a minute")
	default:
		log.Print("no code was sent")
	}
	if failure.outcome == refused {
		switch failure.status {
		case 401, 403:
			log.Print("OPERATOR: the API refuses the credentials; no code can be sent until that is mended")
		case 402:
			log.Print("OPERATOR: the wallet is empty; top it up")
		}
	}
	res := result{Status: string(failure.outcome)}
	if failure.code != "" {
		res.Code = &failure.code
	}
	return res
}

// verify judges a code that a person typed in, and counts the wrong ones.
func (a *app) verify(input, typed string) (status string) {
	number, ok := normalise(input)
	if !ok {
		return ended // no code was ever sent there
	}
	hash := a.hash(number, strings.TrimSpace(typed))
	a.mustUpdate(func(s *state) {
		entry, ok := s.Numbers[number]
		switch {
		case !ok || entry.Code == nil:
			status = ended
		case a.now >= entry.Code.Expires:
			status = expired
		case hmac.Equal([]byte(hash), []byte(entry.Code.Hash)):
			status = right
			entry.Code = nil
		default:
			status = wrong
			entry.Code.Wrong++
			if entry.Code.Wrong >= maxWrong {
				entry.Code = nil
			}
		}
	})
	return status
}

// watchBalance reads the balance now and then, and warns the operator when it
// pays for fewer codes than the last day needed.
func (a *app) watchBalance() {
	due, need := false, 0
	err := a.update(func(s *state) {
		if due = a.now-s.BalanceRead >= balanceEvery; !due {
			return
		}
		s.BalanceRead = a.now
		for _, entry := range s.Numbers {
			need += len(entry.Asked)
		}
	})
	if err != nil {
		log.Print(err)
	}
	if err != nil || !due {
		return
	}
	balance, costPerSMS, err := a.api.readFunds()
	if err != nil {
		log.Print("OPERATOR: ", err)
		return
	}
	if need = max(need, minDayCodes); balance < float64(need)*costPerSMS {
		log.Printf("OPERATOR: the balance of UGX %.0f pays for %.0f codes, and a day needs %d; top the wallet up",
			balance, balance/costPerSMS, need)
	}
}

// newCode makes six random digits.
func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		log.Fatal(err)
	}
	return fmt.Sprintf("%06d", n)
}

// hash is what is kept of a code: it is keyed, and bound to its number.
func (a *app) hash(number, code string) string {
	mac := hmac.New(sha256.New, a.key)
	fmt.Fprintf(mac, "%s\n%s", number, code)
	return hex.EncodeToString(mac.Sum(nil))
}

// A state is the content of the store.
type state struct {
	Numbers     map[string]*entry  `json:"numbers"`
	Askers      map[string][]int64 `json:"askers"` // when each asked, for an hour
	BalanceRead int64              `json:"balance_read"`
}

// An entry is what is known of a number.
type entry struct {
	Asked []int64      `json:"asked"` // when codes were made for it, for a day
	Code  *oneTimeCode `json:"code"`  // null when there is none, or it ended
}

// A oneTimeCode is the code that a number can be verified with.
type oneTimeCode struct {
	Hash    string `json:"hash"`
	Expires int64  `json:"expires"`
	Wrong   int    `json:"wrong"`
	Outcome string `json:"outcome"` // sending, which a crash leaves as unknown; sent or unknown
}

// entry returns the entry of a number, and makes one where there is none.
func (s *state) entry(number string) *entry {
	if s.Numbers[number] == nil {
		s.Numbers[number] = &entry{}
	}
	return s.Numbers[number]
}

// mayAsk reports whether a code may be made now. Every code that was made
// counts, whatever became of it.
func (s *state) mayAsk(number, asker string, now int64) bool {
	var asked []int64
	if entry := s.Numbers[number]; entry != nil {
		asked = entry.Asked
	}
	return since(asked, now-minute) == 0 &&
		since(asked, now-hour) < hourlyNumber &&
		since(s.Askers[asker], now-hour) < hourlyAsker
}

// since counts the times after start.
func since(times []int64, start int64) (n int) {
	for _, t := range times {
		if t > start {
			n++
		}
	}
	return n
}

// forgetOld removes what no limit and no answer needs any more.
func (s *state) forgetOld(now int64) {
	for number, entry := range s.Numbers {
		entry.Asked = slices.DeleteFunc(entry.Asked, func(t int64) bool { return t <= now-day })
		if len(entry.Asked) == 0 {
			delete(s.Numbers, number)
		}
	}
	for asker, times := range s.Askers {
		s.Askers[asker] = slices.DeleteFunc(times, func(t int64) bool { return t <= now-hour })
		if len(s.Askers[asker]) == 0 {
			delete(s.Askers, asker)
		}
	}
}

// mustUpdate is update for what nothing may go on without.
func (a *app) mustUpdate(change func(*state)) {
	if err := a.update(change); err != nil {
		log.Fatal(err)
	}
}

// update changes the store while no other process can.
func (a *app) update(change func(*state)) error {
	lock, err := os.OpenFile(a.storePath+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // which unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("locking the store: %w", err)
	}
	s := &state{}
	text, err := os.ReadFile(a.storePath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(text, s); err != nil {
			return fmt.Errorf("reading the store: %w", err)
		}
	}
	if s.Numbers == nil {
		s.Numbers = map[string]*entry{}
	}
	if s.Askers == nil {
		s.Askers = map[string][]int64{}
	}
	change(s)
	return writeFile(a.storePath, s)
}

// refusals are the documented codes with their status: nothing was done, and nothing stays charged.
var refusals = map[string]int{
	"invalid_credentials":  401,
	"key_revoked":          401,
	"wallet_forbidden":     403,
	"insufficient_balance": 402,
	"validation_failed":    422,
	"send_failed":          502,
}

const (
	getTimeout    = 30 * time.Second
	postTimeout   = 45 * time.Second
	maxRetryAfter = 60 * time.Second // a longer wait is left to the operator
)

// An outcome is how a call that did not succeed ended.
type outcome string

const (
	refused outcome = "refused" // nothing was done, or it was refunded
	failed  outcome = "failed"  // nothing happened: trying later is safe
	unknown outcome = "unknown" // it may have happened: never repeat it
)

// An apiError is a call that was not done.
type apiError struct {
	outcome    outcome
	code       string // the API's own code, if it gave one
	status     int    // 0 without an answer
	detail     string // safe to log
	lost       bool   // the connection was lost, or never made
	retryAfter time.Duration
}

func (e *apiError) Error() string {
	parts := []string{string(e.outcome)}
	if e.status != 0 {
		parts = append(parts, fmt.Sprint("HTTP ", e.status))
	}
	for _, part := range []string{e.code, e.detail} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// A client makes the calls to the API.
type client struct {
	base, key, secret, wallet string
	http                      *http.Client
}

// newClient reads the environment, and refuses to start when a value is missing.
func newClient() *client {
	base := cmp.Or(os.Getenv("WESENDALL_BASE_URL"), "https://www.wesendall.com")
	return &client{
		base:   strings.TrimRight(base, "/"),
		key:    mustEnv("WESENDALL_API_KEY"),
		secret: mustEnv("WESENDALL_API_SECRET"),
		wallet: mustEnv("WESENDALL_WALLET_ID"),
		// A connection for each request, since one that went stale loses the
		// outcome, and no HTTP/2, over which Go may make a POST twice.
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:             http.ProxyFromEnvironment,
				DisableKeepAlives: true,
				TLSNextProto:      map[string]func(string, *tls.Conn) http.RoundTripper{},
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func mustEnv(name string) string {
	value := os.Getenv(name)
	if value == "" {
		log.Fatal("set ", name)
	}
	return value
}

// funds is what the wallet holds, and what one SMS unit costs, in shillings.
type funds struct {
	Balance    *float64 `json:"balance"`
	CostPerSMS *float64 `json:"cost_per_sms"`
}

// readFunds reads the balance, and repeats the call once where that is allowed.
func (c *client) readFunds() (balance, costPerSMS float64, err error) {
	path := "/api/v1/account/balance?" + url.Values{"walletId": {c.wallet}}.Encode()
	data, err := c.call(http.MethodGet, path, nil)
	if failure, ok := errors.AsType[*apiError](err); ok && failure.mayRepeatGet() {
		pause(failure.retryAfter)
		data, err = c.call(http.MethodGet, path, nil)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("reading the balance: %w", err)
	}
	var f funds
	if err := json.Unmarshal(data, &f); err != nil || f.Balance == nil || f.CostPerSMS == nil || *f.CostPerSMS <= 0 {
		return 0, 0, errors.New("reading the balance: the answer is not the documented one")
	}
	return *f.Balance, *f.CostPerSMS, nil
}

func (e *apiError) mayRepeatGet() bool {
	switch e.status {
	case 429, 500, 502, 503, 504:
		return e.retryAfter <= maxRetryAfter
	}
	return e.lost
}

// send sends a message to one number. It repeats the call once, and only after
// a 502 with send_failed. The answer's data is not kept: it may hold the code.
func (c *client) send(message, number string) error {
	body, err := json.Marshal(map[string]string{"walletId": c.wallet, "message": message, "recipient": number})
	if err != nil {
		return err
	}
	_, err = c.call(http.MethodPost, "/api/v1/sms/send", body)
	if failure, ok := errors.AsType[*apiError](err); ok && failure.outcome == refused && failure.code == "send_failed" {
		pause(0)
		_, err = c.call(http.MethodPost, "/api/v1/sms/send", body)
	}
	return err
}

// pause waits a random 0.25 to 0.75 seconds, and more if the API asked for it.
func pause(more time.Duration) {
	time.Sleep(250*time.Millisecond + mathrand.N(500*time.Millisecond) + more)
}

// call makes one request, once, and judges its end. It returns the answer's
// data, or the whole body where there is none.
func (c *client) call(method, path string, body []byte) (json.RawMessage, error) {
	spends := method == http.MethodPost
	timeout := getTimeout
	if spends {
		timeout = postTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, &apiError{outcome: failed, detail: err.Error()}
	}
	req.SetBasicAuth(c.key, c.secret)
	if spends {
		req.Header.Set("Content-Type", "application/json")
	}

	var text []byte
	res, err := c.http.Do(req)
	if err == nil {
		defer res.Body.Close()
		text, err = io.ReadAll(res.Body)
	}
	if err != nil {
		failure := &apiError{outcome: failed, lost: !errors.Is(err, context.DeadlineExceeded)}
		if dial, ok := errors.AsType[*net.OpError](err); spends && !(ok && dial.Op == "dial") {
			failure.outcome = unknown
		}
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err // the URL holds the wallet's id
		}
		failure.detail = err.Error()
		return nil, failure
	}

	var answer struct{ Success, Error, Data json.RawMessage }
	var failure struct{ Code, Message string }
	_ = json.Unmarshal(text, &answer)
	_ = json.Unmarshal(text, &failure)
	_ = json.Unmarshal(answer.Error, &failure)
	success := string(answer.Success)
	done := res.StatusCode/100 == 2 &&
		json.Valid(text) && bytes.IndexAny(bytes.TrimSpace(text), "{[") == 0 &&
		(answer.Error == nil || string(answer.Error) == "null") &&
		(success == "" || success == "true" || !spends && success != "false")
	if done {
		if answer.Data != nil {
			return answer.Data, nil
		}
		return text, nil
	}
	end := failed
	switch {
	case refusals[failure.Code] == res.StatusCode:
		end = refused
	case spends:
		end = unknown
	}
	return nil, &apiError{
		outcome:    end,
		code:       failure.Code,
		status:     res.StatusCode,
		retryAfter: parseRetryAfter(res.Header.Get("Retry-After")),
	}
}

// parseRetryAfter reads a Retry-After header: seconds, or a date.
func parseRetryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

var ugandan = regexp.MustCompile(`^\+256[0-9]{9}$`)

// normalise brings a Ugandan number to E.164, and reports whether it is one.
func normalise(number string) (string, bool) {
	number = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || strings.ContainsRune(".()[]{}", r) {
			return -1
		}
		return r
	}, number)
	switch {
	case strings.HasPrefix(number, "00"):
		number = "+" + number[2:]
	case len(number) == 10 && number[0] == '0':
		number = "+256" + number[1:]
	case len(number) == 9 && number[0] == '7':
		number = "+256" + number
	case len(number) == 12 && strings.HasPrefix(number, "256"):
		number = "+" + number
	}
	return number, ugandan.MatchString(number)
}

// writeFile replaces a file as a whole, and returns when it is on the disk.
func writeFile(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // fails when the rename succeeded
	_, err = temp.Write(append(text, '\n'))
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
