package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/guard"
)

// settings are the flags that every command has. A flag wins over the
// environment, and that over a file of --env-file.
type settings struct {
	Sandbox  bool     `help:"Use the embedded stand-in instead of Wesendall: nothing real is sent or charged."`
	EnvFile  string   `help:"Read variables from this file, too; it is trusted whole." placeholder:"PATH"`
	BaseURL  string   `help:"Where the API answers." env:"WESENDALL_BASE_URL" placeholder:"URL"`
	ReadOnly bool     `help:"Serve only the tools that change nothing." env:"WESENDALL_READ_ONLY"`
	Tools    []string `help:"Serve only these tools." env:"WESENDALL_TOOLS" placeholder:"NAME"`
	Log      string   `name:"log-format" help:"How to log on stderr: text or json (${default})." enum:"text,json" env:"WESENDALL_LOG_FORMAT" default:"text" placeholder:"FORMAT"`
	Metrics  string   `help:"Serve metrics for Prometheus at this address, or off." env:"WESENDALL_METRICS" placeholder:"ADDR"`
	safety
	web

	// problems are what is wrong with the settings, where doctor goes on in spite
	// of it.
	problems []string
}

// safety are the limits on what may be spent. Money is in UGX.
type safety struct {
	MaxPerCall       int64         `group:"Safety" help:"The most that one send may cost (${default})." env:"WESENDALL_MAX_PER_CALL" default:"50000" placeholder:"UGX"`
	MaxPerDay        int64         `group:"Safety" help:"The most that a day's sends may cost, in Kampala's time (${default})." env:"WESENDALL_MAX_PER_DAY" default:"100000" placeholder:"UGX"`
	MaxTopup         int64         `group:"Safety" help:"The most that top-ups may ask for, in a call and in a day (${default})." env:"WESENDALL_MAX_TOPUP" default:"500000" placeholder:"UGX"`
	MaxRecipients    int           `group:"Safety" help:"The most recipients of a send (${default})." env:"WESENDALL_MAX_RECIPIENTS" default:"1000" placeholder:"N"`
	Confirm          guard.Mode    `group:"Safety" help:"How a person agrees: auto, elicit, quote or off (${default})." enum:"auto,elicit,quote,off" env:"WESENDALL_CONFIRM" default:"auto" placeholder:"MODE"`
	ConfirmAbove     int64         `group:"Safety" help:"What may be sent within an hour without anybody being asked (${default})." env:"WESENDALL_CONFIRM_ABOVE" default:"1000" placeholder:"UGX"`
	AllowedCountries []string      `group:"Safety" help:"Calling codes that may be reached (${default})." env:"WESENDALL_ALLOWED_COUNTRIES" default:"256" placeholder:"CODE"`
	DuplicateWindow  time.Duration `group:"Safety" help:"For how long the same is not sent to the same again (${default})." env:"WESENDALL_DUPLICATE_WINDOW" default:"10m" placeholder:"TIME"`
	Rate             float64       `group:"Safety" help:"Calls of the API a second; 0 is no limit (${default})." env:"WESENDALL_RATE" default:"10" placeholder:"N"`
	Ledger           string        `group:"Safety" help:"The file that spends are written down in, the URL of a PostgreSQL database, or memory." env:"WESENDALL_LEDGER" placeholder:"PATH"`
}

// options are the guard's for an API.
func (s *settings) options(base string, log *slog.Logger) (*guard.Options, error) {
	for name, value := range map[string]int64{
		"--max-per-call": s.MaxPerCall, "--max-per-day": s.MaxPerDay, "--max-topup": s.MaxTopup, "--max-recipients": int64(s.MaxRecipients),
		"--confirm-above": s.ConfirmAbove, "--duplicate-window": int64(s.DuplicateWindow), "--rate": int64(math.Ceil(s.Rate)),
	} {
		if value < 0 {
			return nil, usage("%s: must not be negative", name)
		}
	}
	countries := make([]string, len(s.AllowedCountries))
	for i, code := range s.AllowedCountries {
		countries[i] = strings.TrimPrefix(strings.TrimSpace(code), "+")
		if _, err := strconv.ParseUint(countries[i], 10, 16); err != nil {
			return nil, usage("--allowed-countries: %q is not a calling code, such as 256", code)
		}
	}
	path, err := s.ledger(base)
	if err != nil {
		return nil, err
	}
	return &guard.Options{
		Base: base, Confirm: s.Confirm, Countries: countries, Rate: s.Rate, Log: log,
		Limits: guard.Limits{
			PerCall: s.MaxPerCall, PerDay: s.MaxPerDay, TopUp: s.MaxTopup, Recipients: s.MaxRecipients,
			ConfirmAbove: s.ConfirmAbove, DuplicateWindow: s.DuplicateWindow,
		},
		Ledger: func(ctx context.Context) (*guard.Ledger, error) { return guard.OpenLedger(ctx, path) },
	}, nil
}

// databaseForm is how a URL begins, or a list of names and values, or either of them
// in quotes.
var databaseForm = regexp.MustCompile(`(?i)^[\s"']|://|^[a-z][a-z0-9+.-]+\s*:|^postgres(ql)?\s*/|(^|[\s;])(pg)?(host|hostaddr|port|user|password|dbname|service)\s*=`)

// likeDatabase tells whether a value is meant for a database and not for a file, and
// so may have a password in it.
func likeDatabase(value string) bool {
	named := filepath.IsAbs(value) || strings.HasPrefix(value, ".")
	return !guard.Shared(value) && (databaseForm.MatchString(value) || !named && strings.Contains(value, "@"))
}

// ledger is the ledger's file or its database's URL; "" is one in memory. The embedded sandbox's
// always is: its money never shares a ledger with the real, and dies with it.
func (s *settings) ledger(base string) (string, error) {
	switch {
	case s.Ledger == "memory", s.Sandbox:
		return "", nil
	case guard.Shared(s.Ledger):
		return s.Ledger, nil
	case likeDatabase(s.Ledger):
		return "", usage("--ledger: this looks like a database, which must be written postgres://USER@HOST/DATABASE, without quotes; a file of such a name is ./NAME")
	case s.Ledger != "":
		return s.Ledger, nil
	}
	name := "ledger.db"
	if base != client.DefaultBaseURL {
		at, err := url.Parse(base)
		if err != nil {
			return "", err
		}
		name = "ledger-" + strings.NewReplacer(":", "-", "[", "", "]", "").Replace(at.Host) + ".db"
	}
	return filepath.Join(xdg.StateHome, "wesendall-mcp", name), nil
}

// credentials are the three values that a call needs.
type credentials struct {
	key    string
	secret client.Secret
	wallet string
	source string // where they came from, for people
	// missing says what must be set, where the credentials are unusable.
	missing string
}

// The variables that credentials come from.
const (
	keyName    = "WESENDALL_API_KEY"
	secretName = "WESENDALL_API_SECRET" //nolint:gosec // a name, not a value
	fileName   = "WESENDALL_API_SECRET_FILE"
	walletName = "WESENDALL_WALLET_ID"
)

// placeholder is a value that somebody forgot to replace.
var placeholder = regexp.MustCompile(`\$\{[^}]*\}?|(?i:^\s*your[-_ ])|^\s*<.*>\s*$`)

// resolver gives kong the variables of the environment and of --env-file.
type resolver struct {
	lookup   func(string) (string, bool)
	settings *settings
}

// Validate has nothing to check.
func (resolver) Validate(*kong.Application) error { return nil }

// Resolve is called for each flag that is not on the command line.
func (r resolver) Resolve(c *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if len(flag.Envs) == 0 {
		return nil, nil
	}
	file := ""
	for _, f := range c.Flags() {
		if f.Name == "env-file" {
			file, _ = c.FlagValue(f).(string)
		}
	}
	lookup, err := withFile(r.lookup, file)
	if err != nil { // which is said once, after the parsing
		lookup, _ = withFile(r.lookup, "") // which reads no file
	}
	value, ok := lookup(flag.Envs[0])
	if !ok {
		return nil, nil
	}
	err = usable(flag, flag.Envs[0], value)
	switch {
	case err == nil:
		return value, nil
	case c.Command() == doctorName: // which says it with all else
		r.settings.problems = append(r.settings.problems, err.Error())
		return nil, nil
	}
	return nil, err
}

// usable tells whether a flag can take a value.
func usable(flag *kong.Flag, name, value string) error {
	if placeholder.MatchString(value) {
		return fmt.Errorf("%s is still a placeholder (%s): set it, or remove it", name, placeholder.FindString(value))
	}
	taken := reflect.New(flag.Target.Type()).Elem()
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: value})
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, taken); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if allowed := flag.EnumSlice(); flag.Enum != "" && !slices.Contains(allowed, value) {
		return fmt.Errorf("%s must be one of %s, not %q", name, strings.Join(allowed, ", "), value)
	}
	return nil
}

// typed are the flags of the command line that every command has.
func typed(parsed *kong.Context) []*kong.Flag {
	var flags []*kong.Flag
	for _, step := range parsed.Path {
		if step.Flag != nil && !step.Resolved && slices.Contains(parsed.Model.Flags, step.Flag) && !slices.Contains(flags, step.Flag) {
			flags = append(flags, step.Flag)
		}
	}
	return flags
}

// written is a flag with its value, as one types it.
func written(parsed *kong.Context, flag *kong.Flag) string {
	value := fmt.Sprint(parsed.FlagValue(flag))
	if list, ok := parsed.FlagValue(flag).([]string); ok {
		value = strings.Join(list, ",")
	}
	return "--" + flag.Name + "=" + value
}

// withFile looks a variable up in the environment and then in a file. An empty
// variable is one that is not set.
func withFile(lookup func(string) (string, bool), file string) (func(string) (string, bool), error) {
	var more map[string]string
	if file != "" {
		var err error
		if more, err = readEnv(file); err != nil {
			return nil, usage("--env-file: %w", err)
		}
	}
	return func(name string) (string, bool) {
		if value, ok := lookup(name); ok && value != "" {
			return value, true
		}
		value := more[name]
		return value, value != ""
	}, nil
}

// dollar stands for a $ while a file is read: godotenv would take it for the
// beginning of a variable, and a secret may well have one.
const dollar = "\ue024"

// readEnv reads a file of variables, each as it stands there. Its errors never
// quote a line of it.
func readEnv(path string) (map[string]string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	values, err := parseEnv(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s is not a file of NAME=value lines", path)
	}
	return values, nil
}

// parseEnv reads variables, before which an editor may have put a byte order mark.
func parseEnv(text string) (map[string]string, error) {
	values, err := godotenv.Unmarshal(strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "$", dollar))
	if err != nil {
		return nil, err
	}
	for name, value := range values {
		values[name] = strings.ReplaceAll(value, dollar, "$")
	}
	return values, nil
}

// load finds the credentials. What is wrong with them is no error, for the
// server starts without them; only an --env-file that cannot be read is.
func (s *settings) load(w world) (credentials, error) {
	lookup, err := withFile(w.lookup, s.EnvFile)
	if err != nil {
		return credentials{}, err
	}
	source := "the environment"
	if s.EnvFile != "" {
		source += " and " + s.EnvFile
	}
	anySet := false
	for _, name := range []string{keyName, secretName, fileName, walletName} {
		_, ok := lookup(name)
		anySet = anySet || ok
	}
	if !anySet {
		local, problem := localEnv(filepath.Join(w.dir, ".env"))
		if local == nil {
			return credentials{missing: "set " + keyName + ", " + secretName + " and " + walletName + problem + ", or start with --sandbox to try it."}, nil
		}
		lookup = func(name string) (string, bool) { value, ok := local[name]; return value, ok }
		source = localSource
	}
	return collect(lookup, source), nil
}

// localSource names the .env of the working directory, for people.
const localSource = ".env in the working directory"

// localEnv reads the .env of the working directory. A repository that an agent
// opens may bring one, so it counts only as a whole set of credentials, and
// nothing else in it does.
func localEnv(path string) (values map[string]string, problem string) {
	all, err := readEnv(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ""
	case err != nil:
		return nil, " (the .env in the working directory cannot be read)"
	}
	values = map[string]string{}
	for _, name := range []string{keyName, secretName, walletName} {
		if values[name] = all[name]; values[name] == "" {
			return nil, " (the .env in the working directory has no " + name + ", and counts only with all three)"
		}
	}
	return values, ""
}

// collect reads the credentials, and says which of them is unusable.
func collect(lookup func(string) (string, bool), source string) credentials {
	c := credentials{source: source}
	var faults []string
	value := func(name string) string {
		text, _ := lookup(name)
		if placeholder.MatchString(text) {
			faults = append(faults, name+" is still a placeholder")
			return ""
		}
		return strings.TrimSpace(text)
	}
	c.key, c.wallet = value(keyName), value(walletName)
	secret, file := value(secretName), value(fileName)
	switch {
	case secret != "" && file != "":
		faults = append(faults, "set "+secretName+" or "+fileName+", not both")
	case file != "":
		text, err := os.ReadFile(file) //nolint:gosec // the operator names it
		if err != nil {
			faults = append(faults, fileName+" cannot be read: "+err.Error())
		}
		if secret = strings.TrimSpace(string(text)); placeholder.MatchString(secret) {
			faults = append(faults, fileName+" names a file with a placeholder")
		}
		if err == nil && secret == "" {
			faults = append(faults, fileName+" names an empty file")
		}
	}
	if len(faults) == 0 && c.key == "" {
		faults = append(faults, "set "+keyName)
	}
	if len(faults) == 0 && secret == "" {
		faults = append(faults, "set "+secretName+" or "+fileName)
	}
	if strings.Contains(c.key, ":") {
		faults = append(faults, keyName+" must not contain a colon")
	}
	c.secret = client.NewSecret(secret)
	if len(faults) > 0 {
		c.missing = strings.Join(faults, "; ") + "."
	}
	return c
}
