package main

import (
	"context"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/mcpserver"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// Config is the settings: the flags of every command. A flag wins over the environment,
// and the environment over the file of --env-file.
type Config struct {
	Sandbox bool   `help:"Use the built-in sandbox instead of Wesendall: nothing real is sent or charged."`
	EnvFile string `help:"Also read variables from this file. All of them are trusted." placeholder:"PATH"`
	BaseURL string `help:"Base URL of the Wesendall API." env:"WESENDALL_BASE_URL" placeholder:"URL"`

	ReadOnly bool     `help:"Serve only the tools that change nothing." env:"WESENDALL_READ_ONLY"`
	Tools    []string `help:"Serve only these tools." env:"WESENDALL_TOOLS" placeholder:"NAME"`

	LogFormat string `help:"Log format on stderr: ${enum}." enum:"text,json" env:"WESENDALL_LOG_FORMAT" default:"text" placeholder:"FORMAT"`
	Metrics   string `help:"Serve Prometheus metrics at this address, or off. ${metrics_default}." env:"WESENDALL_METRICS" placeholder:"ADDR"`

	safetySettings `group:"Safety"`
	httpSettings   `group:"HTTP"`

	variables *variables // what flags that were not typed are read from
	invalid   []string   // problems with the settings, for doctor; every other command ends
}

// safetySettings limit what may be spent. Money is in UGX. The defaults are those of the
// package guard.
type safetySettings struct {
	MaxPerCall int64 `help:"Most UGX that one send may cost." env:"WESENDALL_MAX_PER_CALL" default:"${max_per_call}" placeholder:"UGX"`
	MaxPerDay  int64 `help:"Most UGX for the sends of a day in Kampala." env:"WESENDALL_MAX_PER_DAY" default:"${max_per_day}" placeholder:"UGX"`
	MaxTopup   int64 `help:"Most UGX for the top-ups of a day in Kampala." env:"WESENDALL_MAX_TOPUP" default:"${max_topup}" placeholder:"UGX"`

	MaxRecipients int `help:"Most recipients of one send." env:"WESENDALL_MAX_RECIPIENTS" default:"${max_recipients}" placeholder:"N"`

	Confirm guard.ConfirmMode `help:"How the user confirms: ${enum}." enum:"auto,elicit,quote,off" env:"WESENDALL_CONFIRM" default:"${confirm}" placeholder:"MODE"`

	ConfirmAbove int64 `help:"UGX per hour that may be spent without confirmation." env:"WESENDALL_CONFIRM_ABOVE" default:"${confirm_above}" placeholder:"UGX"`

	AllowedCountries []string `help:"Calling codes that may be texted." env:"WESENDALL_ALLOWED_COUNTRIES" default:"${allowed_countries}" placeholder:"CODE"`

	DuplicateWindow time.Duration `help:"Reject the same message to the same number within this time." env:"WESENDALL_DUPLICATE_WINDOW" default:"${duplicate_window}" placeholder:"TIME"`

	Rate   float64 `help:"API calls per second; 0 means no limit." env:"WESENDALL_RATE" default:"${rate}" placeholder:"N"`
	Ledger string  `help:"Where spends are recorded: a file, a postgres:// URL, or memory." env:"WESENDALL_LEDGER" placeholder:"PATH"`
}

// flagDefaults returns the defaults of the flags. Those of the safety settings come from the
// package guard, and nothing else states them.
func flagDefaults(o guard.Options) kong.Vars {
	return kong.Vars{
		"max_per_call":      strconv.FormatInt(o.Limits.PerCall, 10),
		"max_per_day":       strconv.FormatInt(o.Limits.PerDay, 10),
		"max_topup":         strconv.FormatInt(o.Limits.TopUp, 10),
		"max_recipients":    strconv.Itoa(o.Limits.Recipients),
		"confirm":           string(o.Confirm),
		"confirm_above":     strconv.FormatInt(o.Limits.ConfirmAbove, 10),
		"allowed_countries": strings.Join(o.Countries, ","),
		"duplicate_window":  formatDuration(o.Limits.DuplicateWindow),
		"rate":              strconv.FormatFloat(o.Rate, 'g', -1, 64),
		"http_max_requests": strconv.Itoa(mcpserver.DefaultMaxRequests),
		"sandbox_balance":   strconv.Itoa(sandbox.DefaultBalance),
		"metrics_default":   "Without it: off on stdio, " + defaultMetricsAddr + " with --http",
	}
}

// formatDuration writes 10m and not 10m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// guardOptions checks the safety settings and returns them for the package guard.
func (cfg *Config) guardOptions(baseURL string, log *slog.Logger) (*guard.Options, error) {
	for name, value := range map[string]int64{
		"--max-per-call": cfg.MaxPerCall, "--max-per-day": cfg.MaxPerDay, "--max-topup": cfg.MaxTopup,
		"--max-recipients": int64(cfg.MaxRecipients), "--confirm-above": cfg.ConfirmAbove,
		"--duplicate-window": int64(cfg.DuplicateWindow), "--rate": int64(math.Ceil(cfg.Rate)),
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
		OpenLedger: func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) {
			return ledger.Open(ctx, source, o)
		},
	}, nil
}
