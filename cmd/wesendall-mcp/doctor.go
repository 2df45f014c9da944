package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/doctor"
	"github.com/wesendall/wesendall-mcp/hosts"
)

type doctorCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run looks for what is wrong, and says how to mend it. It never spends.
func (c doctorCmd) Run(ctx context.Context, w world, s *settings, parsed *kong.Context) error {
	b, err := s.backend(ctx, w)
	if err != nil {
		return err
	}
	defer func() { _ = b.close() }()
	o := doctor.Options{Version: version(), Missing: b.Missing, Wallet: b.Wallet, API: b.API, Now: time.Now}
	if o.Settings, o.Private, err = s.inForce(w, parsed); err != nil {
		return err
	}
	if o.Ledger, err = s.ledger(b.base); err != nil {
		return err
	}
	if o.Program.Path, err = os.Executable(); err != nil {
		return err
	}
	o.Program.Args = slices.DeleteFunc(slices.Clone(w.args), func(arg string) bool { return arg == "doctor" || arg == "--json" })
	o.Program.Env = os.Environ()
	for _, each := range hosts.Look(hosts.ThisMachine(xdg.Home, configHome(w)), o.Program.Path) {
		o.Hosts = append(o.Hosts, doctor.Found{
			Title: each.Title, File: each.Place, Here: each.Here, Other: each.Other, Fix: "wesendall-mcp config " + each.Name,
		})
	}
	findings := doctor.Run(ctx, o)
	if err := c.show(w, findings); err != nil {
		return err
	}
	if doctor.Failed(findings) {
		return exitStatus(exitFailure)
	}
	return nil
}

func (c doctorCmd) show(w world, findings []doctor.Finding) error {
	if c.JSON {
		return json.NewEncoder(w.out).Encode(map[string]any{"findings": findings})
	}
	for _, f := range findings {
		line := fmt.Sprintf("%-8s %-12s %s", f.Status, f.Check, f.Text)
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
	typed := map[*kong.Flag]bool{}
	for _, step := range parsed.Path {
		if step.Flag != nil && !step.Resolved {
			typed[step.Flag] = true
		}
	}
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
		if typed[flag] {
			from = "--" + flag.Name
		} else if set := source(flag.Envs[0]); set != "" {
			from = set
		}
		value := strings.Trim(fmt.Sprint(parsed.FlagValue(flag)), "[]")
		if value == "" {
			value = "not set"
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
	for _, each := range []struct{ name, value string }{{keyName, found.key}, {secretName, "[redacted]"}, {fileName, ""}, {walletName, found.wallet}} {
		from := source(each.name)
		if from == "" && found.source == localSource && each.name != fileName {
			from = localSource
		}
		if from == "" {
			continue
		}
		if each.name == fileName {
			each.value, _ = lookup(fileName)
			private = append(private, each.value)
		}
		all = append(all, doctor.Setting{Name: each.name, Value: each.value, Source: from})
	}
	return all, private, nil
}
