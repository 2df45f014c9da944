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
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitUnknown = 3 // the outcome of a call is unknown
)

const about = `Serves Wesendall (SMS and Mobile Money in Uganda) to AI agents: eight tools over the Model Context Protocol.

Without a command it serves MCP on stdin and stdout, for a host such as Claude Code or Cursor to start. With --sandbox nothing real is sent or charged.

Credentials come from the environment, never from a flag: WESENDALL_API_KEY, WESENDALL_API_SECRET (or WESENDALL_API_SECRET_FILE) and WESENDALL_WALLET_ID.`

// cli is the whole command line.
type cli struct {
	settings
	Serve   serveCmd         `cmd:"" default:"1" help:"Serve MCP on stdin and stdout (what happens without a command)."`
	Call    callCmd          `cmd:"" help:"Run one tool and print its result."`
	Stand   sandboxCmd       `cmd:"" name:"sandbox" help:"Serve the stand-in API over HTTP until stopped."`
	Book    ledgerCmd        `cmd:"" name:"ledger" help:"Show what was spent, or settle an outcome that is not known."`
	Prompt  promptCmd        `cmd:"" help:"Print a briefing for a coding agent that is to integrate Wesendall."`
	Docs    referenceCmd     `cmd:"" name:"reference" help:"Print the reference, or one section of it."`
	Config  configCmd        `cmd:"" help:"Print what tells a host (Claude Code, Cursor, …) about this program."`
	Doctor  doctorCmd        `cmd:"" help:"Find what is wrong with the settings, the credentials, the ledger or a host. It never spends."`
	Version kong.VersionFlag `help:"Print the version and exit."`
}

// world is what the process has from outside.
type world struct {
	args   []string
	in     *os.File
	out    *os.File
	err    io.Writer
	lookup func(string) (string, bool) // of the environment
	dir    string                      // the working directory
}

func main() { os.Exit(process(os.Args[1:], os.LookupEnv)) }

// process runs the program on this process's streams. Whatever is printed by
// mistake goes to stderr, for on stdout it would break the protocol.
func process(args []string, lookup func(string) (string, bool)) int {
	out := os.Stdout
	os.Stdout = os.Stderr
	signal.Ignore(syscall.SIGPIPE) // a host that is gone is an error of the write
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	_ = stop // which would let a late signal change the exit code
	return run(ctx, world{args, os.Stdin, out, os.Stderr, lookup, "."})
}

// exit is how --help and --version end the parser.
type exit int

// usageError is the caller's fault: one line, and exit code 2.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the program; it returns the exit code.
func run(ctx context.Context, w world) (code int) {
	defer func() {
		if fault := recover(); fault != nil {
			end, ok := fault.(exit)
			if !ok {
				panic(fault)
			}
			code = int(end)
		}
	}()
	var c cli
	parsed, err := c.parse(ctx, w)
	if err != nil {
		return complain(w, err, exitUsage)
	}
	if err = c.check(w, parsed); err == nil {
		err = parsed.Run()
	}
	var status exitStatus
	var wrong usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &wrong):
		return complain(w, err, exitUsage)
	default:
		return complain(w, err, exitFailure)
	}
}

// parse reads the command line and the variables.
func (c *cli) parse(ctx context.Context, w world) (*kong.Context, error) {
	parser, err := kong.New(c,
		kong.Name("wesendall-mcp"), kong.Description(about), kong.UsageOnError(),
		kong.Writers(w.out, w.err), kong.Exit(func(code int) { panic(exit(code)) }),
		kong.Vars{"version": version(), "hosts": hostNames()}, kong.Resolvers(resolver{w.lookup, &c.settings}),
		kong.ValueFormatter(func(v *kong.Value) string {
			if v.Flag == nil || len(v.Flag.Envs) == 0 {
				return v.Help
			}
			return strings.TrimSuffix(v.Help, ".") + " ($" + v.Flag.Envs[0] + ")."
		}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Bind(w, &c.settings), kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return nil, err
	}
	for _, flag := range parser.Model.Flags {
		flag.Tag.Envs = nil // the resolver reads them, and an empty one is one that is not set
	}
	return parser.Parse(w.args)
}

// check looks at what the parser cannot know. What is wrong ends the program, but
// for the doctor, who says it with all else.
func (s *settings) check(w world, parsed *kong.Context) error {
	var faults []error
	for _, flag := range typed(parsed) {
		if value := fmt.Sprint(parsed.FlagValue(flag)); placeholder.MatchString(value) {
			faults = append(faults, usage("--%s is still a placeholder (%s): set it, or leave it out", flag.Name, placeholder.FindString(value)))
		}
	}
	// Only config may name a file that is not there yet.
	if _, err := withFile(w.lookup, s.EnvFile); err != nil && (!strings.HasPrefix(parsed.Command(), "config") || !errors.Is(err, fs.ErrNotExist)) {
		faults = append(faults, err)
	}
	if parsed.Command() != doctorName {
		return errors.Join(faults...)
	}
	for _, fault := range faults {
		s.problems = append(s.problems, fault.Error())
	}
	if len(faults) > 0 {
		s.EnvFile = "" // nothing is in it, as far as can be seen
	}
	return nil
}

// exitStatus is a failure that was already reported.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// complain says in one line what is wrong.
func complain(w world, err error, code int) int {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if code == exitUsage {
		text += " (see wesendall-mcp --help)"
	}
	_, _ = fmt.Fprintln(w.err, "wesendall-mcp: "+text)
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
