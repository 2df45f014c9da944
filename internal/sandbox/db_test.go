package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// TestDB_TwoProcesses starts this test again as other processes.
func TestDB_TwoProcesses(t *testing.T) {
	t.Parallel()
	const child = "SANDBOX_TEST_DB"
	if db := os.Getenv(child); db != "" {
		env := newTestEnv(t, Options{DB: db, Balance: 50 * CostPerSMS})
		env.do("POST /account/topup", `{"amount":500,"phone_number":"`+decliningPayer+`"}`)
		for range 40 {
			if resp := env.do("POST /sms/send", `{"message":"Hi","recipient":"0700000010"}`); resp.errorCode() != "" &&
				resp.status != 402 {
				t.Errorf("%d %s", resp.status, resp.body)
			}
		}
		return
	}
	db := filepath.Join(t.TempDir(), "shared.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$") //nolint:gosec // this very test
			cmd.Env = append(os.Environ(), child+"="+db)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	env := newTestEnv(t, Options{DB: db})
	if got, sent := env.balance(), len(env.sentMessages()); got != 0 || sent != 50 {
		t.Errorf("balance %d, %d messages", got, sent)
	}
}

func TestDB_FileMode(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := t.TempDir()
	newTestEnv(t, Options{DB: filepath.Join(dir, "sandbox.db")})
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Errorf("%d files, want the database and its -wal and -shm", len(files))
	}
	for _, file := range files {
		if info, err := file.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file.Name(), info.Mode(), err)
		}
	}
}

func TestDB_OpenError(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"a directory that is not there": {DB: filepath.Join(t.TempDir(), "missing", "sandbox.db")},
		"another kind of file":          {DB: text},
		"a wallet in debt":              {Balance: -1},
	} {
		if s, err := Open(t.Context(), o); err == nil {
			t.Errorf("%s: opened, %v", name, s.Close())
		}
	}
}

func TestDB_MemoryIsolated(t *testing.T) {
	t.Parallel()
	first, second := newTestEnv(t, Options{Balance: 100}), newTestEnv(t, Options{Balance: 100})
	first.do("POST /sms/send", `{"message":"Hi","recipient":"0700000010"}`)
	if a, b := first.balance(), second.balance(); a != 65 || b != 100 {
		t.Errorf("balances %d and %d", a, b)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	a, b := newID("msg_"), newID("msg_")
	if a == b || !strings.HasPrefix(a, "msg_") || len(a) != len("msg_")+26 {
		t.Errorf("%q and %q", a, b)
	}
}

func TestSampleGroup_Once(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sandbox.db")
	for range 2 {
		env := newTestEnv(t, Options{DB: file, Balance: 100, WithSampleGroup: true})
		if got := decodeData[struct{ Groups []groupResponse }](env, env.do("GET /groups", "")).Groups; len(got) != 1 ||
			got[0].ID != GroupID || got[0].ContactCount != 2 {
			t.Errorf("%+v", got)
		}
	}
}
