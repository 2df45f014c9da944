// Command wesendall-mcp serves the Wesendall SMS and Mobile Money API to AI agents as
// tools of the Model Context Protocol, over stdin and stdout or over HTTP.
//
// This package reads flags and variables into one Config, connects the packages and
// prints results. It has no rules about money: those are in internal/guard.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/startup"
)

// Exit codes.
const (
	exitOK             = 0
	exitError          = 1
	exitUsage          = 2
	exitOutcomeUnknown = 3 // the call may have been carried out and charged
)

// environment is what the process gets from outside, and the defaults that it applies.
type environment struct {
	args      []string
	stdin     *os.File
	stdout    *os.File
	stderr    io.Writer
	lookupEnv lookupFunc
	envNames  []string // the names of all variables
	workDir   string
	defaults  guard.Options
}

func main() {
	time.AfterFunc(time.Second, startup.RestoreGC) // by then a host has its first answer
	os.Exit(runMain(os.Args[1:], os.LookupEnv))
}

// runMain runs the program on this process's streams. os.Stdout becomes stderr, so that a
// stray print does not break the protocol.
func runMain(args []string, lookupEnv lookupFunc) int {
	stdout := os.Stdout
	os.Stdout = os.Stderr
	signal.Ignore(syscall.SIGPIPE) // a closed stdout becomes an error of the write
	// The context is never stopped: a second signal must not change the exit code.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	return run(ctx, environment{
		args: args, stdin: os.Stdin, stdout: stdout, stderr: os.Stderr,
		lookupEnv: lookupEnv, envNames: namesOf(os.Environ()), workDir: ".", defaults: guard.DefaultOptions(),
	})
}

// run is the program. It returns the exit code.
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
	env.stderr = redactingWriter{env.stderr, &c.Config}
	parsed, err := c.parse(ctx, env)
	if err != nil {
		return printError(env, err, exitUsage)
	}
	if err = c.validate(parsed); err == nil {
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

// usageError is a mistake in the command line or the settings. It ends the program with
// exitUsage.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usageErrorf(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitCodeError is a failure that was already reported.
type exitCodeError int

func (e exitCodeError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// printError prints an error in one line and returns the exit code.
func printError(env environment, err error, code int) int {
	message := strings.Join(strings.Fields(err.Error()), " ")
	if code == exitUsage {
		message += " (see wesendall-mcp --help)"
	}
	logf(env, "wesendall-mcp: %s", message)
	return code
}

// logf prints a line for the user on stderr.
func logf(env environment, format string, args ...any) {
	_, _ = fmt.Fprintf(env.stderr, format+"\n", args...)
}

// version returns the version that the build recorded.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}
