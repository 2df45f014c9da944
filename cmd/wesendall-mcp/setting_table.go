package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/mcpserver"
)

// setting describes a flag of Config.
type setting struct {
	flag         string
	placeholder  string
	variable     string // "" if the flag has none
	help         string
	enum         string // the allowed values, separated by commas; "" for any
	defaultValue string
}

// settingTable has one row for each flag of Config. The defaults of the safety settings are
// those of the package guard.
func settingTable(defaults guard.Options) []setting {
	return slices.Concat(generalSettingRows(), safetySettingRows(defaults), httpSettingRows())
}

func generalSettingRows() []setting {
	return []setting{
		{flag: "sandbox", help: "Use the built-in sandbox instead of Wesendall: nothing real is sent or charged."},
		{flag: "env-file", placeholder: "PATH", help: "Also read variables from this file. All of them are trusted."},
		{
			flag: "base-url", placeholder: "URL", variable: "WESENDALL_BASE_URL",
			help: "Base URL of the Wesendall API.",
		},
		{flag: "read-only", variable: "WESENDALL_READ_ONLY", help: "Serve only the tools that change nothing."},
		{flag: "tools", placeholder: "NAME", variable: "WESENDALL_TOOLS", help: "Serve only these tools."},
		{
			flag: "log-format", placeholder: "FORMAT", variable: "WESENDALL_LOG_FORMAT", enum: "text,json",
			help: "Log format on stderr: text or json.", defaultValue: "text",
		},
		{
			flag: "metrics", placeholder: "ADDR", variable: "WESENDALL_METRICS",
			help: "Serve Prometheus metrics at this address, or off. Without it: off on stdio, " +
				defaultMetricsAddr + " with --http.",
		},
	}
}

func safetySettingRows(defaults guard.Options) []setting {
	limits := defaults.Limits
	formatUGX := func(ugx int64) string { return strconv.FormatInt(ugx, 10) }
	return []setting{
		{
			flag: "max-per-call", placeholder: "UGX", variable: "WESENDALL_MAX_PER_CALL",
			help: "Most UGX that one send may cost.", defaultValue: formatUGX(limits.PerCall),
		},
		{
			flag: "max-per-day", placeholder: "UGX", variable: "WESENDALL_MAX_PER_DAY",
			help: "Most UGX that the sends of one day (Kampala time) may cost.", defaultValue: formatUGX(limits.PerDay),
		},
		{
			flag: "max-topup", placeholder: "UGX", variable: "WESENDALL_MAX_TOPUP",
			help: "Most UGX that top-ups may request, per call and per day.", defaultValue: formatUGX(limits.TopUp),
		},
		{
			flag: "max-recipients", placeholder: "N", variable: "WESENDALL_MAX_RECIPIENTS",
			help: "Most recipients of one send.", defaultValue: strconv.Itoa(limits.Recipients),
		},
		{
			flag: "confirm", placeholder: "MODE", variable: "WESENDALL_CONFIRM", enum: "auto,elicit,quote,off",
			help: "How the user confirms: auto, elicit, quote or off.", defaultValue: string(defaults.Confirm),
		},
		{
			flag: "confirm-above", placeholder: "UGX", variable: "WESENDALL_CONFIRM_ABOVE",
			help: "UGX per hour that may be spent without confirmation.", defaultValue: formatUGX(limits.ConfirmAbove),
		},
		{
			flag: "allowed-countries", placeholder: "CODE", variable: "WESENDALL_ALLOWED_COUNTRIES",
			help:         "Calling codes of the countries that may be texted.",
			defaultValue: strings.Join(defaults.Countries, ","),
		},
		{
			flag: "do-not-text", placeholder: "FILE", variable: "WESENDALL_DO_NOT_TEXT",
			help: "Phone numbers, one per line, that send_sms never texts.",
		},
		{
			flag: "quiet-hours", placeholder: "HOURS", variable: "WESENDALL_QUIET_HOURS",
			help:         "Hours in Kampala in which a send to a group or to more than 10 recipients must be confirmed, or off.",
			defaultValue: defaults.QuietHours.String(),
		},
		{
			flag: "duplicate-window", placeholder: "TIME", variable: "WESENDALL_DUPLICATE_WINDOW",
			help:         "Reject the same message to the same number within this time.",
			defaultValue: formatDuration(limits.DuplicateWindow),
		},
		{
			flag: "rate", placeholder: "N", variable: "WESENDALL_RATE", help: "API calls per second; 0 means no limit.",
			defaultValue: strconv.FormatFloat(defaults.Rate, 'g', -1, 64),
		},
		{
			flag: "ledger", placeholder: "PATH", variable: "WESENDALL_LEDGER",
			help: "Where spends are recorded: a file, a postgres:// URL, or memory.",
		},
	}
}

func httpSettingRows() []setting {
	return []setting{
		{
			flag: httpFlag, placeholder: "HOST:PORT", variable: "WESENDALL_HTTP",
			help: "Serve MCP over HTTP at /mcp of this address. With config: the URL of such a server.",
		},
		{
			flag: "allowed-origin", placeholder: "URL", variable: "WESENDALL_ALLOWED_ORIGIN",
			help: "Origins of web pages that may call, such as https://app.example.com.",
		},
		{
			flag: "allowed-host", placeholder: "NAME", variable: "WESENDALL_ALLOWED_HOST",
			help: "Accepted Host names. Without it: any, except on loopback.",
		},
		{
			flag: "tls-cert", placeholder: "FILE", variable: "WESENDALL_TLS_CERT",
			help: "TLS certificate. It is reloaded when it changes.",
		},
		{
			flag: "tls-key", placeholder: "FILE", variable: "WESENDALL_TLS_KEY",
			help: "Private key of the certificate.",
		},
		{
			flag: "behind-proxy", variable: "WESENDALL_BEHIND_PROXY",
			help: "TLS is terminated by a proxy in front of this server.",
		},
		{
			flag: "http-token-file", placeholder: "FILE", variable: "WESENDALL_HTTP_TOKEN_FILE",
			help: "Accept the bearer tokens in this file. Their calls use the server's credentials and wallet.",
		},
		{
			flag: "http-max-requests", placeholder: "N", variable: "WESENDALL_HTTP_MAX_REQUESTS",
			help: "Most requests at the same time.", defaultValue: strconv.Itoa(mcpserver.DefaultMaxRequests),
		},
	}
}

// applySettings completes the flags of Config, which have no tags. It returns an error if a
// flag has no row, or a row no flag.
func applySettings(flags []*kong.Flag, table []setting) error {
	described := []string{"help", "version"}
	for _, s := range table {
		i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == s.flag })
		if i < 0 {
			return fmt.Errorf("there is no flag --%s", s.flag)
		}
		flag := flags[i]
		flag.Help, flag.PlaceHolder = s.help, s.placeholder
		flag.Enum, flag.Tag.Enum = s.enum, s.enum // kong checks one for defaults and one for the rest
		flag.Default, flag.HasDefault = s.defaultValue, s.defaultValue != ""
		if s.variable != "" {
			flag.Envs = []string{s.variable}
		}
		described = append(described, s.flag)
	}
	for _, flag := range flags {
		if !slices.Contains(described, flag.Name) {
			return fmt.Errorf("the flag --%s is not described", flag.Name)
		}
	}
	return nil
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
