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
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// config are the flags that every command has. A flag wins over the
// environment, and that over a file of --env-file.
type config struct {
	Sandbox   bool     `help:"Use the embedded stand-in instead of Wesendall: nothing real is sent or charged."`
	EnvFile   string   `help:"Read variables from this file, too; it is trusted whole." placeholder:"PATH"`
	BaseURL   string   `help:"Where the API answers." env:"WESENDALL_BASE_URL" placeholder:"URL"`
	ReadOnly  bool     `help:"Serve only the tools that change nothing." env:"WESENDALL_READ_ONLY"`
	Tools     []string `help:"Serve only these tools." env:"WESENDALL_TOOLS" placeholder:"NAME"`
	LogFormat string   `name:"log-format" help:"How to log on stderr: text or json (${default})." enum:"text,json" env:"WESENDALL_LOG_FORMAT" default:"text" placeholder:"FORMAT"`
	Metrics   string   `help:"Serve metrics for Prometheus at this address, or off." env:"WESENDALL_METRICS" placeholder:"ADDR"`
	safetyFlags
	httpFlags

	// invalid is what is wrong with the settings, where doctor goes on in spite
	// of it.
	invalid []string
}

// safetyFlags are the limits on what may be spent. Money is in UGX.
type safetyFlags struct {
	MaxPerCall       int64             `group:"Safety" help:"The most that one send may cost (${default})." env:"WESENDALL_MAX_PER_CALL" default:"50000" placeholder:"UGX"`
	MaxPerDay        int64             `group:"Safety" help:"The most that a day's sends may cost, in Kampala's time (${default})." env:"WESENDALL_MAX_PER_DAY" default:"100000" placeholder:"UGX"`
	MaxTopup         int64             `group:"Safety" help:"The most that top-ups may ask for, in a call and in a day (${default})." env:"WESENDALL_MAX_TOPUP" default:"500000" placeholder:"UGX"`
	MaxRecipients    int               `group:"Safety" help:"The most recipients of a send (${default})." env:"WESENDALL_MAX_RECIPIENTS" default:"1000" placeholder:"N"`
	Confirm          guard.ConfirmMode `group:"Safety" help:"How a person agrees: auto, elicit, quote or off (${default})." enum:"auto,elicit,quote,off" env:"WESENDALL_CONFIRM" default:"auto" placeholder:"MODE"`
	ConfirmAbove     int64             `group:"Safety" help:"What may be sent within an hour without anybody being asked (${default})." env:"WESENDALL_CONFIRM_ABOVE" default:"1000" placeholder:"UGX"`
	AllowedCountries []string          `group:"Safety" help:"Calling codes that may be reached (${default})." env:"WESENDALL_ALLOWED_COUNTRIES" default:"256" placeholder:"CODE"`
	DuplicateWindow  time.Duration     `group:"Safety" help:"For how long the same is not sent to the same again (${default})." env:"WESENDALL_DUPLICATE_WINDOW" default:"10m" placeholder:"TIME"`
	Rate             float64           `group:"Safety" help:"Calls of the API a second; 0 is no limit (${default})." env:"WESENDALL_RATE" default:"10" placeholder:"N"`
	Ledger           string            `group:"Safety" help:"The file that spends are written down in, the URL of a PostgreSQL database, or memory." env:"WESENDALL_LEDGER" placeholder:"PATH"`
}

// guardOptions are the guard's for an API.
func (cfg *config) guardOptions(baseURL string, log *slog.Logger) (*guard.Options, error) {
	for name, value := range map[string]int64{
		"--max-per-call": cfg.MaxPerCall, "--max-per-day": cfg.MaxPerDay, "--max-topup": cfg.MaxTopup, "--max-recipients": int64(cfg.MaxRecipients),
		"--confirm-above": cfg.ConfirmAbove, "--duplicate-window": int64(cfg.DuplicateWindow), "--rate": int64(math.Ceil(cfg.Rate)),
	} {
		if value < 0 {
			return nil, usageErrorf("%s: must not be negative", name)
		}
	}
	countries := make([]string, len(cfg.AllowedCountries))
	for i, code := range cfg.AllowedCountries {
		countries[i] = strings.TrimPrefix(strings.TrimSpace(code), "+")
		if _, err := strconv.ParseUint(countries[i], 10, 16); err != nil {
			return nil, usageErrorf("--allowed-countries: %q is not a calling code, such as 256", code)
		}
	}
	source, err := cfg.ledgerSource(baseURL)
	if err != nil {
		return nil, err
	}
	return &guard.Options{
		BaseURL: baseURL, Confirm: cfg.Confirm, Countries: countries, Rate: cfg.Rate, Logger: log,
		Limits: guard.Limits{
			PerCall: cfg.MaxPerCall, PerDay: cfg.MaxPerDay, TopUp: cfg.MaxTopup, Recipients: cfg.MaxRecipients,
			ConfirmAbove: cfg.ConfirmAbove, DuplicateWindow: cfg.DuplicateWindow,
		},
		OpenLedger: func(ctx context.Context) (*guard.Ledger, error) { return guard.OpenLedger(ctx, source) },
	}, nil
}

// databaseURLPattern is how a URL begins, or a list of names and values, or either of them
// in quotes.
var databaseURLPattern = regexp.MustCompile(`(?i)^[\s"']|://|^[a-z][a-z0-9+.-]+\s*:|^postgres(ql)?\s*/|(^|[\s;])(pg)?(host|hostaddr|port|user|password|dbname|service)\s*=`)

// looksLikeDatabaseURL tells whether a value is meant for a database and not for a file, and
// so may have a password in it.
func looksLikeDatabaseURL(value string) bool {
	isPath := filepath.IsAbs(value) || strings.HasPrefix(value, ".")
	return !guard.IsPostgresURL(value) && (databaseURLPattern.MatchString(value) || !isPath && strings.Contains(value, "@"))
}

// ledgerSource is the ledger's file or its database's URL; "" is one in memory. The embedded sandbox's
// always is: its money never shares a ledger with the real, and dies with it.
func (cfg *config) ledgerSource(baseURL string) (string, error) {
	switch {
	case cfg.Ledger == "memory", cfg.Sandbox:
		return "", nil
	case guard.IsPostgresURL(cfg.Ledger):
		return cfg.Ledger, nil
	case looksLikeDatabaseURL(cfg.Ledger):
		return "", usageErrorf("--ledger: this looks like a database, which must be written postgres://USER@HOST/DATABASE, without quotes; a file of such a name is ./NAME")
	case cfg.Ledger != "":
		return cfg.Ledger, nil
	}
	name := "ledger.db"
	if baseURL != client.DefaultBaseURL {
		u, err := url.Parse(baseURL)
		if err != nil {
			return "", err
		}
		name = "ledger-" + strings.NewReplacer(":", "-", "[", "", "]", "").Replace(u.Host) + ".db"
	}
	return filepath.Join(xdg.StateHome, "wesendall-mcp", name), nil
}

// credentials are the three values that a call needs.
type credentials struct {
	key    string
	secret client.Secret
	wallet string
	origin string // where they came from, for people
	// problem says what must be set, where the credentials are unusable.
	problem string
}

// The variables that credentials come from.
const (
	envAPIKey        = "WESENDALL_API_KEY"
	envAPISecret     = "WESENDALL_API_SECRET" //nolint:gosec // a name, not a value
	envAPISecretFile = "WESENDALL_API_SECRET_FILE"
	envWalletID      = "WESENDALL_WALLET_ID"
)

// envResolver gives kong the variables of the environment and of --env-file.
type envResolver struct {
	lookupEnv func(string) (string, bool)
	config    *config
}

// Validate has nothing to check.
func (envResolver) Validate(*kong.Application) error { return nil }

// Resolve is called for each flag that is not on the command line.
func (r envResolver) Resolve(c *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if len(flag.Envs) == 0 {
		return nil, nil
	}
	envFile := ""
	for _, f := range c.Flags() {
		if f.Name == "env-file" {
			envFile, _ = c.FlagValue(f).(string)
		}
	}
	lookup, err := lookupWithEnvFile(r.lookupEnv, envFile)
	if err != nil { // which is said once, after the parsing
		lookup, _ = lookupWithEnvFile(r.lookupEnv, "") // which reads no file
	}
	value, ok := lookup(flag.Envs[0])
	if !ok {
		return nil, nil
	}
	err = validateFlagValue(flag, flag.Envs[0], value)
	switch {
	case err == nil:
		return value, nil
	case c.Command() == doctorCommand: // which says it with all else
		r.config.invalid = append(r.config.invalid, err.Error())
		return nil, nil
	}
	return nil, err
}

// validateFlagValue tells whether a flag can take a value.
func validateFlagValue(flag *kong.Flag, name, value string) error {
	if sanitize.Placeholder(value) != "" {
		return fmt.Errorf("%s is still a placeholder (%s): set it, or remove it", name, sanitize.Placeholder(value))
	}
	target := reflect.New(flag.Target.Type()).Elem()
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: value})
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, target); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if allowed := flag.EnumSlice(); flag.Enum != "" && !slices.Contains(allowed, value) {
		return fmt.Errorf("%s must be one of %s, not %q", name, strings.Join(allowed, ", "), value)
	}
	return nil
}

// flagsFromCommandLine are the flags of the command line that every command has.
func flagsFromCommandLine(parsed *kong.Context) []*kong.Flag {
	var flags []*kong.Flag
	for _, step := range parsed.Path {
		if step.Flag != nil && !step.Resolved && slices.Contains(parsed.Model.Flags, step.Flag) && !slices.Contains(flags, step.Flag) {
			flags = append(flags, step.Flag)
		}
	}
	return flags
}

// formatFlag is a flag with its value, as one types it.
func formatFlag(parsed *kong.Context, flag *kong.Flag) string {
	value := fmt.Sprint(parsed.FlagValue(flag))
	if list, ok := parsed.FlagValue(flag).([]string); ok {
		value = strings.Join(list, ",")
	}
	return "--" + flag.Name + "=" + value
}

// lookupWithEnvFile looks a variable up in the environment and then in a file. An empty
// variable is one that is not set.
func lookupWithEnvFile(lookup func(string) (string, bool), envFile string) (func(string) (string, bool), error) {
	var fileVars map[string]string
	if envFile != "" {
		var err error
		if fileVars, err = readEnvFile(envFile); err != nil {
			return nil, usageErrorf("--env-file: %w", err)
		}
	}
	return func(name string) (string, bool) {
		if value, ok := lookup(name); ok && value != "" {
			return value, true
		}
		value := fileVars[name]
		return value, value != ""
	}, nil
}

// dollarPlaceholder stands for a $ while a file is read: godotenv would take it for the
// beginning of a variable, and a secret may well have one.
const dollarPlaceholder = "\ue024"

// readEnvFile reads a file of variables, each as it stands there. Its errors never
// quote a line of it.
func readEnvFile(path string) (map[string]string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	values, err := parseEnvFile(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s is not a file of NAME=value lines", path)
	}
	return values, nil
}

// parseEnvFile reads variables, before which an editor may have put a byte order mark.
func parseEnvFile(text string) (map[string]string, error) {
	values, err := godotenv.Unmarshal(strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "$", dollarPlaceholder))
	if err != nil {
		return nil, err
	}
	for name, value := range values {
		values[name] = strings.ReplaceAll(value, dollarPlaceholder, "$")
	}
	return values, nil
}

// loadCredentials finds the credentials. What is wrong with them is no error, for the
// server starts without them; only an --env-file that cannot be read is.
func (cfg *config) loadCredentials(env environment) (credentials, error) {
	lookup, err := lookupWithEnvFile(env.lookupEnv, cfg.EnvFile)
	if err != nil {
		return credentials{}, err
	}
	origin := "the environment"
	if cfg.EnvFile != "" {
		origin += " and " + cfg.EnvFile
	}
	anySet := false
	for _, name := range []string{envAPIKey, envAPISecret, envAPISecretFile, envWalletID} {
		_, ok := lookup(name)
		anySet = anySet || ok
	}
	if !anySet {
		dotEnv, problem := loadDotEnv(filepath.Join(env.workDir, ".env"))
		if dotEnv == nil {
			return credentials{problem: "set " + envAPIKey + ", " + envAPISecret + " and " + envWalletID + problem + ", or start with --sandbox to try it."}, nil
		}
		lookup = func(name string) (string, bool) { value, ok := dotEnv[name]; return value, ok }
		origin = dotEnvSource
	}
	return readCredentials(lookup, origin), nil
}

// dotEnvSource names the .env of the working directory, for people.
const dotEnvSource = ".env in the working directory"

// loadDotEnv reads the .env of the working directory. A repository that an agent
// opens may bring one, so it counts only as a whole set of credentials, and
// nothing else in it does.
func loadDotEnv(path string) (values map[string]string, problem string) {
	vars, err := readEnvFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ""
	case err != nil:
		return nil, " (the .env in the working directory cannot be read)"
	}
	values = map[string]string{}
	for _, name := range []string{envAPIKey, envAPISecret, envWalletID} {
		if values[name] = vars[name]; values[name] == "" {
			return nil, " (the .env in the working directory has no " + name + ", and counts only with all three)"
		}
	}
	return values, ""
}

// readCredentials reads the credentials, and says which of them is unusable.
func readCredentials(lookup func(string) (string, bool), origin string) credentials {
	c := credentials{origin: origin}
	var problems []string
	value := func(name string) string {
		text, _ := lookup(name)
		if sanitize.Placeholder(text) != "" {
			problems = append(problems, name+" is still a placeholder")
			return ""
		}
		return strings.TrimSpace(text)
	}
	c.key, c.wallet = value(envAPIKey), value(envWalletID)
	secret, file := value(envAPISecret), value(envAPISecretFile)
	switch {
	case secret != "" && file != "":
		problems = append(problems, "set "+envAPISecret+" or "+envAPISecretFile+", not both")
	case file != "":
		text, err := os.ReadFile(file) //nolint:gosec // the operator names it
		if err != nil {
			problems = append(problems, envAPISecretFile+" cannot be read: "+err.Error())
		}
		if secret = strings.TrimSpace(string(text)); sanitize.Placeholder(secret) != "" {
			problems = append(problems, envAPISecretFile+" names a file with a placeholder")
		}
		if err == nil && secret == "" {
			problems = append(problems, envAPISecretFile+" names an empty file")
		}
	}
	if len(problems) == 0 && c.key == "" {
		problems = append(problems, "set "+envAPIKey)
	}
	if len(problems) == 0 && secret == "" {
		problems = append(problems, "set "+envAPISecret+" or "+envAPISecretFile)
	}
	if strings.Contains(c.key, ":") {
		problems = append(problems, envAPIKey+" must not contain a colon")
	}
	c.secret = client.NewSecret(secret)
	if len(problems) > 0 {
		c.problem = strings.Join(problems, "; ") + "."
	}
	return c
}
