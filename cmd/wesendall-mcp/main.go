// Command wesendall-mcp serves Wesendall's SMS and Mobile Money API to AI agents
// as tools of the Model Context Protocol, over stdin and stdout.
//
// It reads flags and environment into one configuration and wires the rooms
// together; what any of it does is written there.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// Exit codes.
const (
	exitOK             = 0
	exitError          = 1
	exitUsage          = 2
	exitOutcomeUnknown = 3 // the outcome of a call is unknown
)

const programDescription = `Serves Wesendall (SMS and Mobile Money in Uganda) to AI agents: eight tools over the Model Context Protocol.

Without a command it serves MCP on stdin and stdout, for a host such as Claude Code or Cursor to start. With --sandbox nothing real is sent or charged.

Credentials come from the environment, never from a flag: WESENDALL_API_KEY, WESENDALL_API_SECRET (or WESENDALL_API_SECRET_FILE) and WESENDALL_WALLET_ID.`

// cli is the whole command line.
type cli struct {
	config
	Serve      serveCmd         `cmd:"" default:"1" help:"Serve MCP on stdin and stdout (what happens without a command)."`
	Call       callCmd          `cmd:"" help:"Run one tool and print its result."`
	SandboxCmd sandboxCmd       `cmd:"" name:"sandbox" help:"Serve the stand-in API over HTTP until stopped."`
	LedgerCmd  ledgerCmd        `cmd:"" name:"ledger" help:"Show what was spent, or settle an outcome that is not known."`
	Prompt     promptCmd        `cmd:"" help:"Print a briefing for a coding agent that is to integrate Wesendall."`
	Reference  referenceCmd     `cmd:"" name:"reference" help:"Print the reference, or one section of it."`
	Config     configCmd        `cmd:"" help:"Print what tells a host (Claude Code, Cursor, …) about this program."`
	Doctor     doctorCmd        `cmd:"" help:"Find what is wrong with the settings, the credentials, the ledger or a host. It never spends."`
	Version    kong.VersionFlag `help:"Print the version and exit."`
}

// environment is what the process has from outside.
type environment struct {
	args      []string
	stdin     *os.File
	stdout    *os.File
	stderr    io.Writer
	lookupEnv func(string) (string, bool) // of the environment
	workDir   string                      // the working directory
}

func main() { os.Exit(runMain(os.Args[1:], os.LookupEnv)) }

// runMain runs the program on this process's streams. Whatever is printed by
// mistake goes to stderr, for on stdout it would break the protocol.
func runMain(args []string, lookupEnv func(string) (string, bool)) int {
	stdout := os.Stdout
	os.Stdout = os.Stderr
	signal.Ignore(syscall.SIGPIPE) // a host that is gone is an error of the write
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	_ = stop // which would let a late signal change the exit code
	return run(ctx, environment{args, os.Stdin, stdout, os.Stderr, lookupEnv, "."})
}

// kongExit is how --help and --version end the parser.
type kongExit int

// usageError is the caller's fault: one line, and exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usageErrorf(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the program; it returns the exit code.
func run(ctx context.Context, env environment) (code int) {
	defer func() {
		if recovered := recover(); recovered != nil {
			exit, ok := recovered.(kongExit)
			if !ok {
				panic(recovered)
			}
			code = int(exit)
		}
	}()
	var c cli
	parsed, err := c.parse(ctx, env)
	if err != nil {
		return printError(env, err, exitUsage)
	}
	if err = c.validate(env, parsed); err == nil {
		err = parsed.Run()
	}
	var status exitCodeError
	var usageErr usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &usageErr):
		return printError(env, err, exitUsage)
	default:
		return printError(env, err, exitError)
	}
}

// parse reads the command line and the variables.
func (c *cli) parse(ctx context.Context, env environment) (*kong.Context, error) {
	parser, err := kong.New(c,
		kong.Name("wesendall-mcp"), kong.Description(programDescription), kong.UsageOnError(),
		kong.Writers(env.stdout, env.stderr), kong.Exit(func(code int) { panic(kongExit(code)) }),
		kong.Vars{"version": version(), "hosts": hostEnum()}, kong.Resolvers(envResolver{env.lookupEnv, &c.config}),
		kong.ValueFormatter(func(v *kong.Value) string {
			if v.Flag == nil || len(v.Flag.Envs) == 0 {
				return v.Help
			}
			return strings.TrimSuffix(v.Help, ".") + " ($" + v.Flag.Envs[0] + ")."
		}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Bind(env, &c.config), kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return nil, err
	}
	for _, flag := range parser.Model.Flags {
		flag.Tag.Envs = nil // the resolver reads them, and an empty one is one that is not set
	}
	return parser.Parse(env.args)
}

// validate looks at what the parser cannot know. What is wrong ends the program, but
// for the doctor, who says it with all else.
func (cfg *config) validate(env environment, parsed *kong.Context) error {
	var problems []error
	for _, flag := range flagsFromCommandLine(parsed) {
		if value := fmt.Sprint(parsed.FlagValue(flag)); sanitize.Placeholder(value) != "" {
			problems = append(problems, usageErrorf("--%s is still a placeholder (%s): set it, or leave it out", flag.Name, sanitize.Placeholder(value)))
		}
	}
	// Only config may name a file that is not there yet.
	if _, err := lookupWithEnvFile(env.lookupEnv, cfg.EnvFile); err != nil && (!strings.HasPrefix(parsed.Command(), "config") || !errors.Is(err, fs.ErrNotExist)) {
		problems = append(problems, err)
	}
	if parsed.Command() != doctorCommand {
		return errors.Join(problems...)
	}
	for _, problem := range problems {
		cfg.invalid = append(cfg.invalid, problem.Error())
	}
	if len(problems) > 0 {
		cfg.EnvFile = "" // nothing is in it, as far as can be seen
	}
	return nil
}

// exitCodeError is a failure that was already reported.
type exitCodeError int

func (e exitCodeError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// printError says in one line what is wrong.
func printError(env environment, err error, code int) int {
	message := strings.Join(strings.Fields(err.Error()), " ")
	if code == exitUsage {
		message += " (see wesendall-mcp --help)"
	}
	_, _ = fmt.Fprintln(env.stderr, "wesendall-mcp: "+message)
	return code
}

// version is the one version string, from the build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}
