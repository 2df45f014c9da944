package main

import (
	"slices"
	"strings"
	"testing"
)

func TestClosestVariable(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"WESENDALL_API_KEY": "", "WESENDALL_MAX_PER_DAY": "", "WESENDALL_AUTHORIZATION": "",
		"PATH": "", "API_KEY": "", "HTTPS_PROXY": "", "WESENDALL": "", "WESENDALL_TEST_POSTGRES": "", "": "",
		"WESENDALL_READONLY":       "WESENDALL_READ_ONLY",
		"WESENDALL_MAX_PERDAY":     "WESENDALL_MAX_PER_DAY",
		"WESENDALL_SECRET":         "WESENDALL_API_SECRET",
		"WESENDALL_KEY":            "WESENDALL_API_KEY",
		"WESENDALL_WALLET":         "WESENDALL_WALLET_ID",
		"WESENDAL_API_KEY":         "WESENDALL_API_KEY",
		"WESENDLAL_MAX_PER_DAY":    "WESENDALL_MAX_PER_DAY",
		"wesendall_api_key":        "WESENDALL_API_KEY",
		"set WESENDALL_API_KEY":    "WESENDALL_API_KEY",
		"setx WESENDALL_READ_ONLY": "WESENDALL_READ_ONLY",
		"WESENDALL_MAX_TOPUPS":     "WESENDALL_MAX_TOPUP",
		"WESENDALL_CONFIRM_OVER":   "WESENDALL_CONFIRM_ABOVE",
	} {
		if got := closestVariable(name); got != want {
			t.Errorf("%q: %q, not %q", name, got, want)
		}
	}
}

// A setting that is spelled wrong in the trusted file would silently not hold: it ends the start.
func TestEnvFile_UnknownNames(t *testing.T) {
	t.Parallel()
	full, _ := upstream(t)
	base := strings.Join(full, "\n") + "\n# A comment\n"
	const line = "line 6: "
	for text, want := range map[string]string{
		"WESENDALL_READONLY=true":              line + "WESENDALL_READONLY is not a setting; did you mean WESENDALL_READ_ONLY?",
		"WESENDALL_MAX_PERDAY=5000":            line + "WESENDALL_MAX_PERDAY is not a setting; did you mean WESENDALL_MAX_PER_DAY?",
		"WESENDALL_SECRET=abcdefgh":            line + "WESENDALL_SECRET is not a setting; did you mean WESENDALL_API_SECRET?",
		"export WESENDAL_MAX_TOPUP=0":          line + "WESENDAL_MAX_TOPUP is not a setting; did you mean WESENDALL_MAX_TOPUP?",
		"set WESENDALL_MAX_PER_DAY=7":          line[:len(line)-2],
		"$env:WESENDALL_MAX_PER_DAY = \"7\"":   line[:len(line)-2] + " must begin with WESENDALL_MAX_PER_DAY=",
		"wesendall_read_only=true":             line + "wesendall_read_only is not a setting; did you mean WESENDALL_READ_ONLY?",
		"this is not an assignment, my friend": "see line 6",
	} {
		file := writeFile(t, t.TempDir(), "w.env", base+text+"\n")
		for _, args := range [][]string{nil, {"call", "get_balance"}, {"config", "cursor"}, {"ledger", "show"}} {
			got := runInProcess(t, t.TempDir(), nil, "", append(args, "--env-file", file)...)
			if got.exitCode != exitUsage || !strings.Contains(got.stderr, want) || !strings.Contains(got.stderr, file) ||
				strings.Count(got.stderr, "\n") != 1 || strings.Contains(got.stderr, "abcdefgh") {
				t.Errorf("%s, %q: %+v", text, args, got)
			}
		}
		if !strings.HasPrefix(text, "WESENDALL_READONLY") {
			continue
		}
		lines, code := runDoctor(t, t.TempDir(), nil, "--env-file", file)
		count := 0
		for _, l := range lines {
			if strings.HasPrefix(l, "failure ") && strings.Contains(l, want) {
				count++
			}
		}
		if code != exitError || count != 1 {
			t.Errorf("%s: doctor reports it %d times: %q", text, count, lines)
		}
	}
	file := writeFile(t, t.TempDir(), "w.env", base+"OTHER_PROGRAM=1\nDATABASE_URL=x\nAPI_KEY=1\n")
	if got := runInProcess(t, t.TempDir(), nil, "", "call", "get_balance", "--env-file", file); got.exitCode != exitOK {
		t.Errorf("%+v", got)
	}
}

// In the environment the name may belong to another program: the start warns, doctor fails.
func TestEnvironment_UnknownNames(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	env = append(env, "WESENDALL_READONLY=true")
	const want = "the environment has WESENDALL_READONLY, which is not a setting and does nothing; " +
		"did you mean WESENDALL_READ_ONLY?"
	got := runInProcess(t, t.TempDir(), env, "")
	if got.exitCode != exitOK || !strings.Contains(got.stderr, want) || !strings.Contains(got.stderr, "level=WARN") {
		t.Errorf("%+v", got)
	}
	if got = runInProcess(t, t.TempDir(), env, "", "call", "get_balance"); got.exitCode != exitOK ||
		!strings.Contains(got.stderr, want) {
		t.Errorf("%+v", got)
	}
	if lines, code := runDoctor(t, t.TempDir(), env); code != exitError ||
		!slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "failure setting: "+want) }) {
		t.Errorf("exit %d, %q", code, lines)
	}
}

// The .env of a working directory sets credentials only: the log and doctor name other lines.
func TestDotEnv_IgnoredLinesAreNamed(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	for name, c := range map[string]struct {
		env          []string
		dotEnv, want string
	}{
		"a limit":                       {env[:1], dotEnvText + "WESENDALL_MAX_PER_DAY=70\n", "does not set WESENDALL_MAX_PER_DAY (line 4): "},
		"a limit that is spelled wrong": {env[:1], dotEnvText + "\nWESENDALL_READONLY=1\n", "does not set WESENDALL_READONLY (line 5): "},
		"credentials beside others": {env, dotEnvText, "does not set WESENDALL_API_KEY (line 1), " +
			"WESENDALL_API_SECRET (line 2), WESENDALL_WALLET_ID (line 3): "},
		"nothing of ours":  {env, "DATABASE_URL=x\n", ""},
		"only what counts": {env[:1], dotEnvText, ""},
	} {
		dir := t.TempDir()
		writeFile(t, dir, ".env", c.dotEnv)
		for _, args := range [][]string{nil, {"call", "get_balance"}} {
			got := runInProcess(t, dir, c.env, "", args...)
			if got.exitCode != exitOK || !strings.Contains(got.stderr, c.want) ||
				c.want == "" && strings.Contains(got.stderr, "does not set") {
				t.Errorf("%s, %q: %+v", name, args, got)
			}
		}
		command := program(t, append(slices.Clone(c.env), "WESENDALL_LEDGER=memory"), "doctor")
		command.Dir = dir
		report, _ := command.Output() // the credentials of the .env may be refused
		got := runResult{stdout: string(report)}
		if !strings.Contains(got.stdout, c.want) || c.want == "" && strings.Contains(got.stdout, "does not set") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Values are trimmed, and digit groups are read. A bad value is shown as it was typed, once.
func TestSettings_AsTyped(t *testing.T) {
	t.Parallel()
	full, url := upstream(t)
	runSettingsCases(t, []settingsCase{
		{name: "space around", env: append([]string{
			"WESENDALL_READ_ONLY=true ", "WESENDALL_BASE_URL= " + url + "\t", "WESENDALL_CONFIRM= quote\r",
			"WESENDALL_RATE= 5 ", "WESENDALL_DUPLICATE_WINDOW=10m ",
		}, full[1:]...), stdout: balanceText},
		{name: "space around in the file", env: full, envFile: "WESENDALL_READ_ONLY=\"true \"\n", stdout: balanceText},
		{name: "digit groups", env: append([]string{
			"WESENDALL_MAX_PER_DAY=50,000", "WESENDALL_MAX_PER_CALL=1_000", "WESENDALL_MAX_TOPUP=1 000 000",
			"WESENDALL_MAX_RECIPIENTS=1,000",
		}, full...), stdout: balanceText},
		{name: "digit groups, typed", env: full, args: []string{"--max-per-day", "50,000"}, stdout: balanceText},
		{
			name: "a point may mean two things", env: append([]string{"WESENDALL_MAX_PER_DAY=50.000"}, full...),
			stderr: `must be a whole number such as 50000, not "50.000"`, exitCode: exitUsage,
		},
		{
			name: "groups of the wrong size", env: append([]string{"WESENDALL_MAX_PER_DAY=5,00"}, full...),
			stderr: `not "5,00"`, exitCode: exitUsage,
		},
		{
			name: "an address without a scheme", env: append([]string{"WESENDALL_BASE_URL=www.wesendall.com"}, full[1:]...),
			stderr: `base URL "www.wesendall.com": must begin with https://`, exitCode: exitUsage,
		},
		{
			name: "an address with a port only", env: append([]string{"WESENDALL_BASE_URL=localhost:8080"}, full[1:]...),
			stderr: `base URL "localhost:8080": must begin with https://`, exitCode: exitUsage,
		},
	})
	lines, _ := runDoctor(t, t.TempDir(), append([]string{"WESENDALL_MAX_PER_DAY=50.000"}, full...))
	if n := strings.Count(strings.Join(lines, "\n"), `"50.000"`); n != 1 {
		t.Errorf("doctor reports it %d times: %q", n, lines)
	}
}
