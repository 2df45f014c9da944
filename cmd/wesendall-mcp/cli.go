package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

const programDescription = `An MCP server for Wesendall (SMS and Mobile Money in Uganda): ` +
	`eight tools for AI agents.

Without a command it serves MCP on stdin and stdout, to be started by a host such as Claude Code ` +
	`or Cursor. With --sandbox nothing real is sent or charged.

Credentials come from variables, never from flags: WESENDALL_API_KEY, WESENDALL_API_SECRET ` +
	`(or WESENDALL_API_SECRET_FILE) and WESENDALL_WALLET_ID.`

// cli is the command line: the settings, and one field for each command.
type cli struct {
	Config
	Serve      serveCmd         `cmd:"" default:"1" help:"Serve MCP on stdin and stdout (the default command)."`
	Call       callCmd          `cmd:"" help:"Run one tool and print its result."`
	SandboxCmd sandboxCmd       `cmd:"" name:"sandbox" help:"Serve the sandbox, a fake Wesendall API, over HTTP."`
	LedgerCmd  ledgerCmd        `cmd:"" name:"ledger" help:"Show what was spent, or record an unknown outcome."`
	Prompt     promptCmd        `cmd:"" help:"Print a prompt for a coding agent that integrates Wesendall."`
	Reference  referenceCmd     `cmd:"" name:"reference" help:"Print the API reference, or one section of it."`
	ConfigCmd  configCmd        `cmd:"" name:"config" help:"Print how to add this server to a host, or how to remove it."`
	Doctor     doctorCmd        `cmd:"" help:"Check settings, credentials, ledger and hosts. It never spends."`
	Version    kong.VersionFlag `help:"Print the version and exit."`
}

// kongExit is how --help and --version end the parser.
type kongExit int

// newParser returns the parser of the command line. Variables and defaults come from env.
func (c *cli) newParser(ctx context.Context, env environment) (*kong.Kong, error) {
	c.variables = &variables{lookupEnv: env.lookupEnv}
	parser, err := kong.New(c, append(wholeNumberOptions(),
		kong.Name("wesendall-mcp"), kong.Description(programDescription), kong.UsageOnError(),
		kong.Writers(env.stdout, env.stderr), kong.Exit(func(code int) { panic(kongExit(code)) }),
		kong.Vars{"version": version(), "hosts": hostEnum(), "balance": strconv.Itoa(sandbox.DefaultBalance)},
		kong.Resolvers(&variableResolver{&c.Config}), kong.ValueFormatter(formatHelp),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Bind(env, &c.Config), kong.BindTo(ctx, (*context.Context)(nil)),
	)...)
	if err != nil {
		return nil, err
	}
	return parser, applySettings(parser.Model.Flags, settingTable(env.defaults))
}

// formatHelp returns the help of a value. A flag's help ends with its default and variable.
func formatHelp(value *kong.Value) string {
	if value.Flag == nil {
		return value.Help
	}
	help := strings.TrimSuffix(value.Help, ".")
	if value.HasDefault && !value.IsBool() {
		help += "; default " + value.Default
	}
	if len(value.Flag.Envs) > 0 {
		help += " ($" + value.Flag.Envs[0] + ")"
	}
	return help + "."
}

// parse reads the command line and the variables.
func (c *cli) parse(ctx context.Context, env environment) (*kong.Context, error) {
	parser, err := c.newParser(ctx, env)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(env.args)
	if err == nil {
		c.variables.readFile(c.EnvFile)
	}
	return parsed, err
}

// validate checks what the parser cannot. Problems end the program, except for doctor, which
// reports them with everything else.
func (cfg *Config) validate(parsed *kong.Context) error {
	var problems []error
	for _, flag := range flagsFromCommandLine(parsed) {
		value := fmt.Sprint(parsed.FlagValue(flag))
		if cfg.variables.holdsSecret(value) {
			problems = append(problems, usageError{misplacedSecretError("--" + flag.Name)})
			continue
		}
		if placeholder := sanitize.Placeholder(value); placeholder != "" {
			problems = append(problems,
				usageErrorf("--%s is still a placeholder (%s): set it, or leave it out", flag.Name, placeholder))
		}
	}
	err := cfg.variables.err
	mayCreateFile := strings.HasPrefix(parsed.Command(), "config") && errors.Is(err, fs.ErrNotExist)
	if err != nil && !mayCreateFile {
		problems = append(problems, err)
	}
	if parsed.Command() != doctorCommand {
		return errors.Join(problems...)
	}
	for _, problem := range problems {
		cfg.invalid = append(cfg.invalid, problem.Error())
	}
	if cfg.variables.err != nil {
		cfg.EnvFile, cfg.variables = "", &variables{lookupEnv: cfg.variables.lookupEnv} // the file may be unreadable
	}
	return nil
}

// flagsFromCommandLine returns the flags of Config that were typed.
func flagsFromCommandLine(parsed *kong.Context) []*kong.Flag {
	var flags []*kong.Flag
	for _, step := range parsed.Path {
		isTyped := step.Flag != nil && !step.Resolved && slices.Contains(parsed.Model.Flags, step.Flag)
		if isTyped && !slices.Contains(flags, step.Flag) {
			flags = append(flags, step.Flag)
		}
	}
	return flags
}

// formatFlag formats a flag and its value as on the command line.
func formatFlag(parsed *kong.Context, flag *kong.Flag) string {
	value := fmt.Sprint(parsed.FlagValue(flag))
	if list, ok := parsed.FlagValue(flag).([]string); ok {
		value = strings.Join(list, ",")
	}
	return "--" + flag.Name + "=" + value
}
