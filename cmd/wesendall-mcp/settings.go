package main

import (
	"context"
	"log/slog"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/adrg/xdg"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// Config is the settings: the flags of every command, which settingTable describes. A flag
// overrides the environment, and the environment overrides the file of --env-file.
type Config struct {
	Sandbox   bool
	EnvFile   string
	BaseURL   string
	ReadOnly  bool
	Tools     []string
	LogFormat string
	Metrics   string

	safetySettings `group:"Safety"`
	httpSettings   `group:"HTTP"`

	variables *variables // what flags that were not typed are read from
	invalid   []string   // problems with the settings, for doctor; every other command ends
}

// safetySettings limit what may be spent. Money is in UGX.
type safetySettings struct {
	MaxPerCall       int64
	MaxPerDay        int64
	MaxTopup         int64
	MaxRecipients    int
	Confirm          guard.ConfirmMode
	ConfirmAbove     int64
	AllowedCountries []string
	DoNotText        string
	QuietHours       guard.QuietHours
	DuplicateWindow  time.Duration
	Rate             float64
	Ledger           string
}

// httpSettings are for a server over HTTP.
type httpSettings struct {
	HTTPAddr       string   `name:"http"`
	AllowedOrigins []string `name:"allowed-origin"`
	AllowedHosts   []string `name:"allowed-host"`
	TLSCert        string   `name:"tls-cert"`
	TLSKey         string   `name:"tls-key"`
	BehindProxy    bool
	TokenFile      string `name:"http-token-file"`
	MaxRequests    int    `name:"http-max-requests"`
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
	doNotText, err := absolutePath(cfg.DoNotText)
	if err != nil {
		return nil, usageErrorf("--do-not-text: %w", err)
	}
	source, err := cfg.ledgerSource(baseURL)
	if err != nil {
		return nil, err
	}
	return &guard.Options{
		BaseURL: client.CanonicalBaseURL(baseURL), Confirm: cfg.Confirm, Countries: countries, Rate: cfg.Rate, Logger: log,
		QuietHours: cfg.QuietHours, DoNotText: guard.NewDoNotTextList(doNotText, countries),
		Limits: cfg.limits(),
		OpenLedger: func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) {
			return ledger.Open(ctx, source, o)
		},
	}, nil
}

// absolutePath returns the file that a setting means, even if the working directory changes.
// ~/ is the home directory; "" stays "".
func absolutePath(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(xdg.Home, rest), nil
	}
	return filepath.Abs(path)
}

// limits are the operator's limits, as they are set.
func (s safetySettings) limits() guard.Limits {
	return guard.Limits{
		PerCall: s.MaxPerCall, PerDay: s.MaxPerDay, TopUp: s.MaxTopup, Recipients: s.MaxRecipients,
		ConfirmAbove: s.ConfirmAbove, DuplicateWindow: s.DuplicateWindow,
	}
}
