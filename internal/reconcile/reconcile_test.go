package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/fold"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

func TestMain(m *testing.M) { os.Exit(ledgertest.Run(m)) }

const (
	send, group = client.ToolSendSMS, client.ToolSendGroupSMS

	baseURL = "http://127.0.0.1:1"
	wallet  = "wal_1"
	phone1  = "+256700000010"
	phone2  = "+256700000011"
)

// testEnv is a ledger with a clock, and an API that answers pages of history.
type testEnv struct {
	testing.TB
	*ledger.Ledger
	clock atomic.Int64
	pages []string
	reads int
}

func (env *testEnv) now() time.Time { return time.UnixMilli(env.clock.Load()).UTC() }

func (env *testEnv) advance(d time.Duration) { env.clock.Add(d.Milliseconds()) }

func newTestEnv(t testing.TB) *testEnv {
	t.Helper()
	env := &testEnv{TB: t}
	env.clock.Store(time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC).UnixMilli())
	l, err := ledger.Open(context.Background(), ledgertest.NewSource(t), ledger.Options{Clock: env.now})
	if err != nil {
		t.Fatal(err)
	}
	env.Ledger = l
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return env
}

func (env *testEnv) Balance(context.Context, client.BalanceRequest) (*client.Response, error) {
	return &client.Response{Data: json.RawMessage(`{"balance":4965.5,"cost_per_sms":35}`)}, nil
}

func (env *testEnv) History(_ context.Context, r client.HistoryRequest) (*client.Response, error) {
	env.reads++
	if int(r.Page) > len(env.pages) {
		return &client.Response{Data: json.RawMessage(`{"messages":[]}`)}, nil
	}
	return &client.Response{Data: json.RawMessage(env.pages[r.Page-1])}, nil
}

// spend makes a spend with an outcome, and returns its id. The clock goes on by a minute.
func (env *testEnv) spend(tool, message string, state ledger.State, code string, targets ...string) string {
	env.Helper()
	balanceUGX := int64(5000)
	in := ledger.Intent{
		Account: ledger.AccountKey(baseURL, wallet), Tool: tool, Kind: ledger.KindSend, Content: []string{fold.Message(message)},
		Targets: targets, Recipients: len(targets), Units: 1, TotalUGX: 35, BalanceBeforeUGX: &balanceUGX,
	}
	if tool == client.ToolTopUpWallet {
		in.Kind, in.Recipients, in.Units = ledger.KindTopUp, 0, 0
	}
	limits := ledger.Limits{PerCall: 1_000, PerDay: 100_000, TopUp: 1_000, ConfirmAbove: 1_000}
	// Not within any window: the guard asks about repetitions, and this is about what follows.
	d, err := env.Reserve(env.Context(), in, ledger.Policy{Limits: limits, ConfirmOff: true, AllowDuplicate: true})
	if err == nil && d.Verdict == ledger.NeedsConfirmation {
		d, err = env.confirm(in, limits)
	}
	if err != nil || d.Verdict != ledger.Reserved {
		env.Fatalf("%+v, %v", d, err)
	}
	if err := env.RecordOutcome(env.Context(), d.Spend, state, code); err != nil {
		env.Fatal(err)
	}
	env.advance(time.Minute)
	return d.Spend.ID
}

func (env *testEnv) confirm(in ledger.Intent, limits ledger.Limits) (ledger.Decision, error) {
	p := ledger.Policy{Limits: limits, AllowDuplicate: true, QuoteTTL: time.Minute}
	quote, _, err := env.Quote(env.Context(), in, p, false)
	if err != nil {
		return ledger.Decision{}, err
	}
	p.UseQuote, p.Confirmed = quote.ID, true
	return env.Reserve(env.Context(), in, p)
}

func (env *testEnv) run() Report {
	env.Helper()
	report, err := Run(env.Context(), Options{API: env, Ledger: env.Ledger, BaseURL: baseURL, WalletID: wallet})
	if err != nil {
		env.Fatal(err)
	}
	return report
}

// historyEntry is an entry as the sandbox writes it.
func historyEntry(phone, message, status string, at time.Time) string {
	return fmt.Sprintf(`{"id":"msg_%d","phone":%q,"message":%q,"status":%q,"units":1,"cost":35,"created_at":%q}`,
		at.UnixNano(), phone, message, status, at.Format(time.RFC3339Nano))
}

func historyPage(entries ...string) string {
	return `{"page":1,"messages":[` + strings.Join(entries, ",") + `]}`
}

// suggestionCases are open sends with what the history has. prepare makes the spends.
var suggestionCases = map[string]struct {
	prepare func(env *testEnv) (id string, entries []string)
	suggest bool
	says    string
}{
	"the entry is there": {func(env *testEnv) (string, []string) {
		at := env.now()
		return env.spend(send, "Hi", "unknown", "", phone1, phone2),
			[]string{historyEntry(phone1, "Hi", "sent", at.Add(time.Second))}
	}, true, "to 1 of its 2 recipients"},
	"the entry reads alike": {func(env *testEnv) (string, []string) {
		at := env.now()
		return env.spend(send, "It’s  ok", "unknown", "", phone1),
			[]string{historyEntry("0700000010", "it's ok\n", "delivered", at)}
	}, true, ""},
	"nothing is there": {func(env *testEnv) (string, []string) {
		at := env.now()
		return env.spend(send, "Hi", "unknown", "", phone1), []string{historyEntry(phone1, "Ho", "sent", at)}
	}, false, "No match in 1 entries from 2026-11-24T12:00:00+03:00 to 2026-11-24T12:00:00+03:00. " +
		"This does not prove that it was not sent."},
	"the entry is older": {func(env *testEnv) (string, []string) {
		at := env.now()
		return env.spend(send, "Hi", "unknown", "", phone1),
			[]string{historyEntry(phone1, "Hi", "sent", at.Add(-2*time.Second))}
	}, false, "No match"},
	"the entry is to another number": {func(env *testEnv) (string, []string) {
		at := env.now()
		return env.spend(send, "Hi", "unknown", "", phone1), []string{historyEntry(phone2, "Hi", "sent", at)}
	}, false, "No match"},
	"the entry failed": {func(env *testEnv) (string, []string) {
		at := env.now()
		return env.spend(send, "Hi", "unknown", "", phone1), []string{historyEntry(phone1, "Hi", "failed", at)}
	}, false, "with a status that does not say that it was sent"},
	"the entry has no time": {func(env *testEnv) (string, []string) {
		return env.spend(send, "Hi", "unknown", "", phone1),
			[]string{`{"phone":"+256700000010","message":"Hi","created_at":"yesterday"}`}
	}, false, "cannot be read"},
	"the number is masked": {func(env *testEnv) (string, []string) {
		at := env.now()
		return env.spend(send, "Hi", "unknown", "", phone1), []string{historyEntry("+25670***10", "Hi", "sent", at)}
	}, false, "cannot be read"},
	"the entry is of a later send": {func(env *testEnv) (string, []string) {
		id := env.spend(send, "Hi", "unknown", "", phone1)
		at := env.now()
		env.spend(send, "Hi", "sent", "", phone1)
		return id, []string{historyEntry(phone1, "Hi", "sent", at)}
	}, false, "may belong to another send"},
	"the entry may be a late one of an earlier send": {func(env *testEnv) (string, []string) {
		env.spend(send, "Hi", "sent", "", phone1)
		at := env.now()
		return env.spend(send, "Hi", "unknown", "", phone1), []string{historyEntry(phone1, "Hi", "sent", at)}
	}, false, "may belong to another send"},
	"each of two sends has its entry": {func(env *testEnv) (string, []string) {
		first := env.now()
		env.spend(send, "Hi", "sent", "", phone1)
		at := env.now()
		return env.spend(send, "Hi", "unknown", "", phone1),
			[]string{historyEntry(phone1, "Hi", "sent", at), historyEntry(phone1, "Hi", "sent", first)}
	}, true, ""},
	"an earlier send was refused": {func(env *testEnv) (string, []string) {
		env.spend(send, "Hi", "failed", "insufficient_balance", phone1)
		at := env.now()
		return env.spend(send, "Hi", "unknown", "", phone1), []string{historyEntry(phone1, "Hi", "sent", at)}
	}, true, ""},
	"an earlier send was settled as failed by hand": {func(env *testEnv) (string, []string) {
		id := env.spend(send, "Hi", "unknown", "", phone1)
		if err := env.Resolve(env.Context(), id, ledger.StateFailed); err != nil {
			env.Fatal(err)
		}
		at := env.now()
		return env.spend(send, "Hi", "unknown", "", phone1), []string{historyEntry(phone1, "Hi", "sent", at)}
	}, false, "may belong to another send"},
	"a group": {func(env *testEnv) (string, []string) {
		at := env.now()
		return env.spend(group, "Hi", "unknown", "", "g7"), []string{historyEntry(phone1, "Hi", "sent", at)}
	}, true, "after the send, to "},
	"a group, and the same text to a number": {func(env *testEnv) (string, []string) {
		env.spend(send, "Hi", "sent", "", phone1)
		at := env.now()
		return env.spend(group, "Hi", "unknown", "", "g7"), []string{historyEntry(phone1, "Hi", "sent", at)}
	}, false, "may belong to another send"},
}

func TestRun_Suggestion(t *testing.T) {
	t.Parallel()
	for name, c := range suggestionCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t)
			id, entries := c.prepare(env)
			env.pages = []string{historyPage(entries...)}
			f := findingOf(t, env.run(), id)
			if (f.Suggestion == "sent") != c.suggest || f.Suggestion == "failed" || !strings.Contains(f.Summary, c.says) {
				t.Errorf("%+v", f)
			}
			if *f.BalanceBeforeUGX != 5000 || f.MatchCount != len(f.Matches) || c.suggest && f.MatchCount == 0 {
				t.Errorf("%+v", f)
			}
			for _, m := range f.Matches {
				if strings.Contains(m.Phone, "7000") {
					t.Errorf("the number is shown: %+v", m)
				}
			}
		})
	}
}

func findingOf(t *testing.T, report Report, id string) Finding {
	t.Helper()
	for _, f := range report.Spends {
		if f.ID == id {
			return f
		}
	}
	t.Fatalf("no %s in %+v", id, report)
	return Finding{}
}

// The history's form is not documented, so entries are found in any.
func TestRun_HistoryShapes(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"a list":             `[{"to":"256700000010","text":"Hi","sentAt":1795510800}]`,
		"numbers as numbers": `{"items":[{"msisdn":256700000010,"body":"Hi","createdAt":1795510800123}]}`,
		"a batch":            `{"data":[{"content":"Hi","created_at":"2026-11-24T12:00:00+03:00","recipients":["0700 000 010","0700000011"]}]}`,
		"recipients as a list": `{"batches":[{"message":"Hi","date":"2026-11-24 09:00:00Z",` +
			`"recipients":[{"phoneNumber":"+256700000010","status":"SENT"}]}]}`,
		"with a note of its own": `{"message":"History fetched","messages":[` +
			`{"phone":"+256700000010","message":"Hi","created_at":"2026-11-24T09:00:00Z","updated_at":"2026-11-24T10:00:00Z"}]}`,
		"without a known name": `{"rows":[{"x":"+256700000010","y":"Hi","time":"2026-11-24T09:00:00.000Z"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t)
			id := env.spend(client.ToolSendSMS, "Hi", "unknown", "", phone1)
			env.pages = []string{page}
			if f := findingOf(t, env.run(), id); f.Suggestion != "sent" {
				t.Errorf("%+v", f)
			}
		})
	}
	for _, page := range []string{``, `null`, `"x"`, `[[[]]]`, `{"a":{}}`, strings.Repeat("[", 10_000)} {
		env := newTestEnv(t)
		id := env.spend(client.ToolSendSMS, "Hi", "unknown", "", phone1)
		env.pages = []string{page}
		if f := findingOf(t, env.run(), id); f.Suggestion != "" {
			t.Errorf("%q: %+v", page, f)
		}
	}
}

// Pages are read back to the oldest open spend, each entry counts once, and a history
// without an end is not read forever.
func TestRun_Pages(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t)
	old := env.now().Add(-2 * time.Hour)
	id := env.spend(client.ToolSendSMS, "Hi", "unknown", "", phone1)
	at := env.now()
	env.pages = []string{
		historyPage(historyEntry(phone2, "other", "sent", at), historyEntry(phone2, "other", "sent", at.Add(-time.Second))),
		historyPage(historyEntry(phone2, "other", "sent", at.Add(-time.Second)), historyEntry(phone1, "Hi", "sent", at.Add(-time.Minute))),
		historyPage(historyEntry(phone1, "older", "sent", old)),
		historyPage(historyEntry(phone1, "oldest", "sent", old.Add(-time.Hour))),
	}
	report := env.run()
	if f := findingOf(t, report, id); f.Suggestion != "sent" || env.reads != 3 || report.History.Entries != 4 || !report.History.Complete {
		t.Errorf("%+v, %+v, %d reads", f, report.History, env.reads)
	}
	if *report.BalanceUGX != 4965 {
		t.Errorf("the balance is %d", *report.BalanceUGX)
	}

	env = newTestEnv(t)
	id = env.spend(client.ToolSendSMS, "Hi", "unknown", "", phone1)
	for i := range 2 * maxPages {
		env.pages = append(env.pages, historyPage(historyEntry(phone2, "other", "sent", at.Add(time.Duration(i)*time.Minute))))
	}
	report = env.run()
	if f := findingOf(t, report, id); report.History.Complete || env.reads != maxPages ||
		!strings.Contains(f.Summary, "older entries were not read") {
		t.Errorf("%+v, %+v, %d reads", f, report.History, env.reads)
	}
}

// A top-up and another wallet's spend are not looked for in the history.
func TestRun_NotInTheHistory(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t)
	topUp := env.spend(client.ToolTopUpWallet, "500", "unknown", "", phone1)
	report := env.run()
	if f := findingOf(t, report, topUp); !strings.Contains(f.Summary, "does not show top-ups") || f.Suggestion != "" ||
		env.reads != 0 || report.History != nil {
		t.Errorf("%+v, %d reads", f, env.reads)
	}
	sms := env.spend(send, "Hi", "unknown", "", phone1)
	env.pages = []string{historyPage(historyEntry(phone1, "Hi", "sent", env.now()))}
	other, err := Run(t.Context(), Options{API: env, Ledger: env.Ledger, BaseURL: baseURL, WalletID: "wal_2"})
	if err != nil {
		t.Fatal(err)
	}
	if f := findingOf(t, other, sms); !strings.Contains(f.Summary, "another wallet") || f.Suggestion != "" {
		t.Errorf("%+v", f)
	}
}

func TestRun_NothingOpen(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t)
	env.spend(client.ToolSendSMS, "Hi", "sent", "", phone1)
	if report := env.run(); len(report.Spends) != 0 || env.reads != 0 {
		t.Errorf("%+v", report)
	}
}
