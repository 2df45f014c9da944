package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// lookupFunc finds the value of a variable.
type lookupFunc func(name string) (value string, ok bool)

// variables are the WESENDALL_* variables: of the environment, then of the file of
// --env-file. Space around a value is removed. An empty variable counts as not set.
type variables struct {
	lookupEnv lookupFunc
	path      string // of the file
	file      map[string]string
	err       error // set if the file cannot be read
}

// readFile reads the file once: the parser needs it for each flag.
func (v *variables) readFile(path string) {
	if v.path != "" || path == "" {
		return
	}
	v.path = path
	var err error
	if v.file, err = readEnvFile(path); err == nil {
		err = unknownNamesIn(path, v.file)
	}
	if err != nil {
		v.err = usageErrorf("--env-file: %w", err)
	}
}

func (v *variables) lookup(name string) (string, bool) {
	if v.inEnvironment(name) {
		value, ok := v.lookupEnv(name)
		return strings.TrimSpace(value), ok
	}
	value := strings.TrimSpace(v.file[name])
	return value, value != ""
}

func (v *variables) inEnvironment(name string) bool {
	value, ok := v.lookupEnv(name)
	return ok && strings.TrimSpace(value) != ""
}

// source says where a variable is set; "" if it is not set.
func (v *variables) source(name string) string {
	if v.inEnvironment(name) {
		return "environment"
	}
	if strings.TrimSpace(v.file[name]) != "" {
		return v.path
	}
	return ""
}

// mapLookup looks variables up in a map.
func mapLookup(values map[string]string) lookupFunc {
	return func(name string) (string, bool) { value, ok := values[name]; return value, ok }
}

// variableResolver gives kong the variables.
type variableResolver struct{ config *Config }

// Validate is part of kong.Resolver.
func (*variableResolver) Validate(*kong.Application) error { return nil }

// Resolve is called for each flag that was not typed.
func (r *variableResolver) Resolve(c *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if len(flag.Envs) == 0 {
		return nil, nil
	}
	for _, f := range c.Flags() {
		if f.Name == "env-file" {
			path, _ := c.FlagValue(f).(string)
			r.config.variables.readFile(path) // Config.validate reports an error
		}
	}
	value, ok := r.config.variables.lookup(flag.Envs[0])
	if !ok {
		return nil, nil
	}
	var err error
	if r.config.variables.holdsSecret(value) {
		err = misplacedSecretError(flag.Envs[0])
	} else {
		err = validateFlagValue(flag, flag.Envs[0], value)
	}
	switch {
	case err == nil:
		return value, nil
	case c.Command() == doctorCommand: // which reports it with everything else
		if !slices.Contains(r.config.invalid, err.Error()) {
			r.config.invalid = append(r.config.invalid, err.Error())
		}
		return nil, nil
	}
	return nil, err
}

// validateFlagValue checks that a flag can take the value of a variable.
func validateFlagValue(flag *kong.Flag, name, value string) error {
	if placeholder := sanitize.Placeholder(value); placeholder != "" {
		return fmt.Errorf("%s is still a placeholder (%s): set it, or remove it", name, placeholder)
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
