package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/doctor"
	"github.com/wesendall/wesendall-mcp/guard"
	"github.com/wesendall/wesendall-mcp/hosts"
)

// doctorName is the command, which goes on in spite of wrong settings.
const doctorName = "doctor"

type doctorCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run looks for what is wrong, and says how to mend it. It never spends.
func (c doctorCmd) Run(ctx context.Context, w world, s *settings, parsed *kong.Context) error {
	if file := s.made(w); file != "" {
		note(w, "No credentials are set here: looking at the file that config made, as with --env-file %s", file)
		w.args = append([]string{"--env-file=" + file}, w.args...)
		return exitStatus(run(ctx, w))
	}
	o, end, err := s.examined(ctx, w, parsed)
	if err != nil {
		return err
	}
	defer end()
	findings := doctor.Run(ctx, o)
	if err := c.show(w, findings); err != nil {
		return err
	}
	if doctor.Failed(findings) {
		return exitStatus(exitFailure)
	}
	return nil
}

// made is the file that config makes, where it is there and nothing else says
// what the credentials are.
func (s *settings) made(w world) string {
	file := defaultEnvFile(w)
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() || s.EnvFile != "" || s.Sandbox || len(s.problems) > 0 {
		return ""
	}
	if found, err := s.load(w); err != nil || found.source != "" {
		return ""
	}
	return file
}

// examined is what the doctor looks at. What cannot be used is a problem to be
// told, and no error.
func (s *settings) examined(ctx context.Context, w world, parsed *kong.Context) (o doctor.Options, end func(), err error) {
	o = doctor.Options{Version: version(), ReadOnly: s.ReadOnly, Now: time.Now}
	end = func() {}
	if o.Settings, o.Private, err = s.inForce(w, parsed); err != nil {
		return o, end, err
	}
	b, err := s.backend(ctx, w)
	if err == nil {
		end = func() { _ = b.close() }
		o.API, o.Missing, o.Wallet = b.API, b.Missing, b.Wallet
		if o.Ledger, err = s.ledger(b.base); err == nil {
			_, err = s.options(b.base, nil)
		}
		if err == nil {
			err = s.named()
		}
	}
	if err != nil {
		s.problems = append(s.problems, err.Error())
	}
	o.Problems = s.problems
	if o.Program.Path, err = os.Executable(); err != nil {
		return o, end, err
	}
	for _, flag := range typed(parsed) {
		o.Program.Args = append(o.Program.Args, written(parsed, flag))
	}
	o.Program.Env = os.Environ()
	o.Hosts = hosts.Look(hosts.ThisMachine(xdg.Home, configHome(w)), o.Program.Path)
	o.Unusable = func(e hosts.Server) string { return unusable(ctx, e) }
	return o, end, nil
}

// unusable says what is wrong with what a host passes: its arguments, and the
// credentials in the variables of its entry or in the file that it names. One that
// passes none may have them in its environment, which nobody else sees.
func unusable(ctx context.Context, e hosts.Server) (fault string) {
	var c cli
	env := func(name string) (string, bool) { value, ok := e.Env[name]; return value, ok }
	w := world{args: e.Args, out: os.Stderr, err: io.Discard, lookup: env}
	defer func() {
		if end := recover(); end != nil { // as after --help
			fault = "its arguments start no server"
		}
	}()
	parsed, err := c.parse(ctx, w)
	if err == nil {
		err = c.check(w, parsed)
	}
	switch {
	case err != nil:
		return err.Error()
	case parsed.Command() != "serve":
		return "its arguments start no server"
	case c.EnvFile != "" && !filepath.IsAbs(c.EnvFile):
		return "the path " + c.EnvFile + " depends on where the host runs"
	case c.Sandbox:
		return ""
	}
	lookup, err := withFile(env, c.EnvFile)
	if err != nil {
		return err.Error()
	}
	given := func(name string) bool { _, ok := lookup(name); return ok }
	if c.EnvFile == "" && !slices.ContainsFunc([]string{keyName, secretName, fileName, walletName}, given) {
		return ""
	}
	return strings.TrimSuffix(collect(lookup, "").missing, ".")
}

func (c doctorCmd) show(w world, findings []doctor.Finding) error {
	if c.JSON {
		return json.NewEncoder(w.out).Encode(map[string]any{"findings": findings})
	}
	for _, f := range findings {
		line := fmt.Sprintf("%-8s %-12s %s", f.Status, f.Check, guard.Visible(f.Text))
		if f.Fix != "" {
			line += "\n" + strings.Repeat(" ", 22) + "→ " + f.Fix
		}
		if _, err := fmt.Fprintln(w.out, line); err != nil {
			return err
		}
	}
	return nil
}

// inForce are the settings with the places that they come from, and the files
// that nobody else should read.
func (s *settings) inForce(w world, parsed *kong.Context) (all []doctor.Setting, private []string, err error) {
	hands := typed(parsed)
	lookup, err := withFile(w.lookup, s.EnvFile)
	if err != nil {
		return nil, nil, err
	}
	source := func(name string) string {
		if value, ok := w.lookup(name); ok && value != "" {
			return "environment"
		}
		if _, ok := lookup(name); ok {
			return s.EnvFile
		}
		return ""
	}
	for _, flag := range parsed.Model.Flags {
		if len(flag.Envs) == 0 {
			continue
		}
		from := "default"
		if slices.Contains(hands, flag) {
			from = "--" + flag.Name
		} else if set := source(flag.Envs[0]); set != "" {
			from = set
		}
		value := guard.Redact(strings.Trim(fmt.Sprint(parsed.FlagValue(flag)), "[]"))
		if flag.Name == "ledger" && likeDatabase(value) {
			value = "[not shown]" // a password may be in it
		}
		if value == "" {
			value = "not set"
		}
		if at, err := url.Parse(value); err == nil && at.User != nil {
			value = at.Redacted()
		}
		all = append(all, doctor.Setting{Name: flag.Envs[0], Value: value, Source: from})
	}
	if s.EnvFile != "" {
		private = append(private, s.EnvFile)
	}
	if s.Sandbox {
		return append(all, doctor.Setting{Name: "credentials", Value: "the sandbox's own", Source: "--sandbox"}), private, nil
	}
	found, err := s.load(w)
	if err != nil {
		return nil, nil, err
	}
	for _, each := range []struct{ name, value string }{{keyName, shorten(found.key)}, {secretName, "[redacted]"}, {fileName, ""}, {walletName, found.wallet}} {
		from := source(each.name)
		if from == "" && found.source == localSource && each.name != fileName {
			from = localSource
		}
		if from == "" {
			continue
		}
		set, _ := lookup(each.name)
		switch {
		case placeholder.MatchString(set):
			each.value = "a placeholder"
		case each.name == fileName:
			each.value = set
			private = append(private, set)
		}
		all = append(all, doctor.Setting{Name: each.name, Value: each.value, Source: from})
	}
	if found.source == localSource {
		private = append(private, filepath.Join(w.dir, ".env"))
	}
	return all, private, nil
}

// shorten leaves so much of a key that one knows which it is.
func shorten(key string) string { return key[:min(8, len(key)/2)] + "…" }
