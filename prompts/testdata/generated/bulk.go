// Written from the generated prompt alone (use case bulk, Go, no framework).

// Command bulk sends one message to a list of people through Wesendall:
// completely, once, and within a price that a person agreed to.
//
//	bulk plan LIST MESSAGE JOURNAL
//	bulk send JOURNAL COST
//
// LIST is a file with a number a line, MESSAGE is the text itself, JOURNAL is
// the JSON file that plan writes and send keeps, and COST is what the person
// confirmed. Each prints one JSON line on stdout; words for people go to stderr.
// A send exits with 0 if all batches are sent, 3 if any is unknown, else 1.
//
// Beside the three credentials it reads BULK_BATCH (numbers in a batch, at most
// and by default 500) and BULK_STOP (a file with the numbers of those who said
// stop, one a line). It locks with flock, so it needs a Unix.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/rand/v2"
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
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxBatch  = 500
	maxLength = 1600 // UTF-16 code units
	unitSize  = 160
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bulk: ")
	api := newClient()
	size := batchSize()
	switch args := os.Args[1:]; {
	case len(args) == 4 && args[0] == "plan":
		if err := plan(api, size, args[1], args[2], args[3]); err != nil {
			log.Fatal(err)
		}
	case len(args) == 3 && args[0] == "send":
		sum, err := send(api, size, args[1], args[2])
		if err != nil {
			printLine(map[string]string{"status": "stopped"})
			log.Fatal("this run sent nothing: ", err)
		}
		printLine(sum)
		os.Exit(sum.exitCode())
	default:
		log.Fatal("usage: bulk plan LIST MESSAGE JOURNAL | bulk send JOURNAL COST")
	}
}

func batchSize() int {
	value := os.Getenv("BULK_BATCH")
	if value == "" {
		return maxBatch
	}
	size, err := strconv.Atoi(value)
	if err != nil || size < 1 || size > maxBatch {
		log.Fatalf("BULK_BATCH must be 1 to %d", maxBatch)
	}
	return size
}

func printLine(value any) {
	if err := json.NewEncoder(os.Stdout).Encode(value); err != nil {
		log.Print(err)
	}
}

// amount writes shillings without an exponent.
func amount(shillings float64) string {
	return strconv.FormatFloat(shillings, 'f', -1, 64)
}

// A proposal is what a person confirms.
type proposal struct {
	People  int     `json:"people"`
	Units   int     `json:"units"` // of one message
	Cost    float64 `json:"cost"`
	Balance float64 `json:"balance"` // before anything is sent
	Dropped []drop  `json:"dropped"`
}

// A drop is a line of the list that nothing is sent to.
type drop struct {
	Line   int    `json:"line"`
	Number string `json:"number"`
	Reason string `json:"reason"`
}

// plan writes the journal of a list and a message, and prints what it costs.
func plan(api *client, size int, listPath, message, journalPath string) error {
	if !utf8.ValidString(message) {
		return errors.New("the message is not UTF-8")
	}
	if n := length(message); n < 1 || n > maxLength {
		return fmt.Errorf("the message has %d UTF-16 code units, not 1 to %d", n, maxLength)
	}
	if _, err := os.Lstat(journalPath); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", journalPath, cmp.Or(err, fs.ErrExist))
	}
	stopped, err := readStopped(os.Getenv("BULK_STOP"))
	if err != nil {
		return err
	}
	people, dropped, err := readList(listPath, stopped)
	if err != nil {
		return err
	}
	balance, costPerSMS, err := api.readFunds()
	if err != nil {
		return err
	}

	j := &journal{Message: message, CostPerSMS: costPerSMS, Batches: split(people, size)}
	cost := j.cost(len(people))
	if len(people) > 0 {
		if err := createFile(journalPath, j); err != nil {
			return err
		}
	}
	printLine(proposal{People: len(people), Units: units(message), Cost: cost, Balance: balance, Dropped: dropped})
	switch {
	case len(people) == 0:
		return errors.New("nobody is left to send to; no journal was written")
	case balance < cost:
		log.Printf("the balance is too small: UGX %s are missing", amount(cost-balance))
	default:
		log.Printf("the balance after it is about UGX %s; to agree: bulk send %s %s", amount(balance-cost), journalPath, amount(cost))
	}
	return nil
}

// readStopped reads the numbers of those who said stop. One that cannot be
// read ends the plan, since that person might be texted.
func readStopped(path string) (map[string]bool, error) {
	stopped := map[string]bool{}
	if path == "" {
		log.Print("BULK_STOP is not set: nobody is taken to have said stop")
		return stopped, nil
	}
	lines, err := readLines(path)
	if err != nil {
		return nil, err
	}
	for i, line := range lines {
		if line == "" {
			continue
		}
		number, ok := normalise(line)
		if !ok {
			return nil, fmt.Errorf("%s:%d: %q is not a Ugandan number", path, i+1, line)
		}
		stopped[number] = true
	}
	return stopped, nil
}

// readList reads the people to send to, each once, and who was dropped.
func readList(path string, stopped map[string]bool) (people []string, dropped []drop, err error) {
	lines, err := readLines(path)
	if err != nil {
		return nil, nil, err
	}
	dropped = []drop{}
	seen := map[string]bool{}
	for i, line := range lines {
		if line == "" {
			continue
		}
		number, ok := normalise(line)
		reason := ""
		switch {
		case !ok:
			reason = "not a Ugandan number"
		case stopped[number]:
			reason = "said stop"
		case seen[number]:
			reason = "duplicate"
		default:
			seen[number] = true
			people = append(people, number)
			continue
		}
		dropped = append(dropped, drop{Line: i + 1, Number: line, Reason: reason})
	}
	return people, dropped, nil
}

func readLines(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return lines, nil
}

// length is in UTF-16 code units, as the API counts.
func length(message string) int {
	return len(utf16.Encode([]rune(message)))
}

// units is what one message is billed as.
func units(message string) int {
	return (length(message) + unitSize - 1) / unitSize
}

// A batchState says what became of a batch.
type batchState string

const (
	statePending batchState = "pending" // not sent yet
	stateSending batchState = "sending" // being sent; found by a later run, it is unknown
	stateSent    batchState = "sent"
	stateRefused batchState = "refused" // some may have got it: a person decides
	stateUnknown batchState = "unknown" // it may have been sent: never repeated
)

// A journal is what is to be sent, and what became of it.
type journal struct {
	Message    string   `json:"message"`
	CostPerSMS float64  `json:"cost_per_sms"` // that was agreed to
	Batches    []*batch `json:"batches"`
}

type batch struct {
	State   batchState      `json:"state"`
	Numbers []string        `json:"numbers"`
	Error   string          `json:"error,omitempty"`  // why it is not sent
	Answer  json.RawMessage `json:"answer,omitempty"` // what the API said, undocumented
}

// split makes pending batches of at most size numbers.
func split(numbers []string, size int) (batches []*batch) {
	for chunk := range slices.Chunk(numbers, size) {
		batches = append(batches, &batch{State: statePending, Numbers: chunk})
	}
	return batches
}

func readJournal(path string) (*journal, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	j := &journal{}
	if err := json.Unmarshal(text, j); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i, b := range j.Batches {
		switch b.State {
		case statePending, stateSending, stateSent, stateRefused, stateUnknown:
		default:
			return nil, fmt.Errorf("%s: batch %d has the state %q", path, i+1, b.State)
		}
	}
	return j, nil
}

// resume makes what an earlier run was sending unknown, and splits what is
// pending into batches of at most size numbers.
func (j *journal) resume(size int) {
	var settled []*batch
	var pending []string
	for _, b := range j.Batches {
		switch b.State {
		case statePending:
			pending = append(pending, b.Numbers...)
			continue
		case stateSending:
			b.State = stateUnknown
			b.Error = "the run ended before the outcome was written down"
		}
		settled = append(settled, b)
	}
	j.Batches = append(settled, split(pending, size)...)
}

// people counts the numbers in the batches of the states, or of all.
func (j *journal) people(states ...batchState) (n int) {
	for _, b := range j.Batches {
		if len(states) == 0 || slices.Contains(states, b.State) {
			n += len(b.Numbers)
		}
	}
	return n
}

func (j *journal) cost(people int) float64 {
	return float64(units(j.Message)*people) * j.CostPerSMS
}

// A summary counts the batches in each state.
type summary struct {
	Status  batchState `json:"status"` // the worst state of any batch
	Sent    int        `json:"sent"`
	Refused int        `json:"refused"`
	Unknown int        `json:"unknown"`
	Pending int        `json:"pending"`
}

func (j *journal) summary() summary {
	var s summary
	for _, b := range j.Batches {
		switch b.State {
		case stateSent:
			s.Sent++
		case stateRefused:
			s.Refused++
		case statePending:
			s.Pending++
		default:
			s.Unknown++
		}
	}
	switch {
	case s.Unknown > 0:
		s.Status = stateUnknown
	case s.Refused > 0:
		s.Status = stateRefused
	case s.Pending > 0:
		s.Status = statePending
	default:
		s.Status = stateSent
	}
	return s
}

func (s summary) exitCode() int {
	switch s.Status {
	case stateSent:
		return 0
	case stateUnknown:
		return 3
	}
	return 1
}

// send sends what is pending in a journal. An error means that this run sent nothing.
func send(api *client, size int, path, confirmed string) (summary, error) {
	unlock, err := lockJournal(path)
	if err != nil {
		return summary{}, err
	}
	defer unlock()
	j, err := readJournal(path)
	if err != nil {
		return summary{}, err
	}
	if cost, err := strconv.ParseFloat(confirmed, 64); err != nil || cost != j.cost(j.people()) {
		return summary{}, fmt.Errorf("the plan costs UGX %s, not %q", amount(j.cost(j.people())), confirmed)
	}
	j.resume(size)
	if err := writeFile(path, j); err != nil {
		return summary{}, err
	}
	if n := j.people(statePending); n > 0 {
		balance, costPerSMS, err := api.readFunds()
		switch {
		case err != nil:
			return summary{}, err
		case costPerSMS != j.CostPerSMS:
			return summary{}, fmt.Errorf("the price of a unit was UGX %s and is %s: plan those who are pending anew, in another journal",
				amount(j.CostPerSMS), amount(costPerSMS))
		case balance < j.cost(n):
			return summary{}, fmt.Errorf("the balance is UGX %s, and %d people cost %s", amount(balance), n, amount(j.cost(n)))
		}
	}

	for i, b := range j.Batches {
		if b.State != statePending {
			continue
		}
		if err := j.sendBatch(api, path, b); err != nil {
			log.Printf("batch %d of %d: %v", i+1, len(j.Batches), err)
			log.Print(advice(b.State))
			break
		}
	}
	j.report(api)
	return j.summary(), nil
}

// sendBatch sends one batch, and writes down its state before and after. An
// error means that it is not sent.
func (j *journal) sendBatch(api *client, path string, b *batch) error {
	b.State, b.Error = stateSending, ""
	if err := writeFile(path, j); err != nil {
		b.State = statePending
		return err
	}
	data, err := api.send(j.Message, b.Numbers)
	if err == nil {
		b.State, b.Answer = stateSent, data
	} else {
		b.State, b.Error = stateAfter(err), err.Error()
	}
	if writeErr := writeFile(path, j); writeErr != nil {
		b.State = stateUnknown // as the next run will find it
		return errors.Join(err, fmt.Errorf("the outcome could not be written down: %w", writeErr))
	}
	return err
}

// stateAfter is the state of a batch after a call that was not done.
func stateAfter(err error) batchState {
	failure, ok := errors.AsType[*apiError](err)
	switch {
	case !ok || failure.outcome == failed:
		return statePending
	case failure.outcome == refused:
		return stateRefused
	}
	return stateUnknown
}

func advice(state batchState) string {
	switch state {
	case statePending:
		return "nothing of this batch was sent; running it again is safe"
	case stateRefused:
		return "some of this batch may have got it: look at the history first, and then decide"
	}
	return "this batch may have been sent: do not repeat it; look at the history and the balance first"
}

// report tells people how the run ended.
func (j *journal) report(api *client) {
	log.Printf("%d people: %d sent, %d refused, %d unknown, %d pending", j.people(),
		j.people(stateSent), j.people(stateRefused), j.people(stateUnknown), j.people(statePending))
	balance, _, err := api.readFunds()
	if err != nil {
		log.Print(err)
		return
	}
	log.Printf("the balance is UGX %s", amount(balance))
}

// lockJournal keeps other runs away from a journal that is there.
func lockJournal(path string) (unlock func() error, err error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("another run has the journal: %w", err)
	}
	return lock.Close, nil
}

// createFile writes a new file, never over one that is there.
func createFile(path string, value any) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Close(), writeFile(path, value)); err != nil {
		os.Remove(path)
		return err
	}
	return nil
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

// send sends a message to the numbers. It repeats the call once for a single
// number, and only after a 502 with send_failed; never for several.
func (c *client) send(message string, numbers []string) (json.RawMessage, error) {
	body, err := json.Marshal(map[string]any{"walletId": c.wallet, "message": message, "recipient": numbers})
	if err != nil {
		return nil, err
	}
	data, err := c.call(http.MethodPost, "/api/v1/sms/send", body)
	failure, ok := errors.AsType[*apiError](err)
	if ok && len(numbers) == 1 && failure.outcome == refused && failure.code == "send_failed" {
		pause(0)
		data, err = c.call(http.MethodPost, "/api/v1/sms/send", body)
	}
	return data, err
}

// pause waits a random 0.25 to 0.75 seconds, and more if the API asked for it.
func pause(more time.Duration) {
	time.Sleep(250*time.Millisecond + rand.N(500*time.Millisecond) + more)
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
		detail:     strings.NewReplacer(c.key, "[key]", c.secret, "[secret]").Replace(failure.Message),
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
