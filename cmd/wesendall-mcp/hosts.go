package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/hosts"
)

type configCmd struct {
	Host        string `arg:"" help:"Which host: ${hosts}." enum:"${hosts}"`
	Write       bool   `help:"Put it into the host's own file (Claude Desktop and Cursor); what was there is kept beside it."`
	WithSecrets bool   `help:"Put the credentials into the host's file or command, instead of the name of a file with them."`
}

// Run prints what tells a host about this program, or writes it where the host
// looks. What is printed on stdout can be pasted; everything else is on stderr.
func (c configCmd) Run(w world, s *settings, parsed *kong.Context) error {
	h, _ := hosts.Find(c.Host)
	if c.Write && !h.Writes {
		way := "run the command that this prints without it"
		if h.Own == nil {
			way = "paste what this prints without it"
		}
		return usage("config: --write is for Claude Desktop and Cursor; for %s %s", h.Title, way)
	}
	entry, err := c.entry(w, s, parsed)
	if err != nil {
		return err
	}
	if err := c.tell(w, h, entry); err != nil {
		return err
	}
	if check := entry.Args; !c.WithSecrets {
		check = check[:map[bool]int{true: 1, false: 2}[s.Sandbox]] // --sandbox, or --env-file and its name
		note(w, "Then see whether it works: %s", hosts.Quote(append([]string{entry.Command, doctorName}, check...), runtime.GOOS))
	}
	return nil
}

// tell writes an entry, or prints it.
func (c configCmd) tell(w world, h hosts.Host, entry hosts.Entry) error {
	places := hosts.ThisMachine(xdg.Home, configHome(w))
	switch {
	case c.Write:
		return merge(w, h, entry, places)
	case h.Own != nil:
		note(w, "Run this to add the server to %s:", h.Title)
		_, err := fmt.Fprintln(w.out, hosts.Quote(h.Own(entry), runtime.GOOS))
		return err
	}
	note(w, "Put this into %s%s:", h.File(places), map[bool]string{true: ", or run the same with --write"}[h.Writes])
	_, err := io.WriteString(w.out, h.Snippet(entry))
	return err
}

func merge(w world, h hosts.Host, entry hosts.Entry, places hosts.Places) error {
	written, err := h.Write(entry, places, time.Now())
	if err != nil {
		return err
	}
	if len(written.Kept) > 0 {
		note(w, "Kept from the entry that was there: %s", strings.Join(written.Kept, ", "))
	}
	if written.Off {
		note(w, "%s is told not to start it: switch it on there.", h.Title)
	}
	switch {
	case !written.Changed:
		_, err = fmt.Fprintf(w.out, "%s has it already.\n", written.File)
	case written.Backup == "":
		_, err = fmt.Fprintf(w.out, "Written to %s. Start %s again.\n", written.File, h.Title)
	default:
		_, err = fmt.Fprintf(w.out, "Written to %s; what was there is in %s. Start %s again.\n", written.File, written.Backup, h.Title)
	}
	return err
}

// configHome is where programs keep their configuration: on Windows the part of
// it that follows a person from machine to machine.
func configHome(w world) string {
	if runtime.GOOS == "darwin" { // where hosts look at no variable
		return filepath.Join(xdg.Home, "Library", "Application Support")
	}
	name := map[string]string{"windows": "APPDATA"}[runtime.GOOS]
	if home, ok := w.lookup(cmp.Or(name, "XDG_CONFIG_HOME")); ok && home != "" {
		return home
	}
	return xdg.ConfigHome
}

func note(w world, format string, args ...any) { _, _ = fmt.Fprintf(w.err, format+"\n", args...) }

// entry is how a host is to start this program.
func (c configCmd) entry(w world, s *settings, parsed *kong.Context) (hosts.Entry, error) {
	program, err := os.Executable()
	if err == nil {
		err = s.fit(c.WithSecrets)
	}
	if err != nil {
		return hosts.Entry{}, err
	}
	if strings.Contains(filepath.ToSlash(program), "/go-build") {
		note(w, "This program is a temporary build, which will be gone: install it first (go install ./cmd/wesendall-mcp), and run that.")
	}
	e := hosts.Entry{Command: program, Args: []string{}, Settles: []string{"--sandbox", "--env-file", keyName, secretName, fileName, walletName}}
	switch {
	case s.Sandbox:
		e.Args = append(e.Args, "--sandbox")
	case c.WithSecrets:
		found, err := s.load(w)
		if err != nil {
			return e, err
		}
		if found.missing != "" || found.wallet == "" {
			return e, usage("config: --with-secrets needs the credentials: %s", strings.TrimSuffix(cmp.Or(found.missing, "set "+walletName), "."))
		}
		note(w, "The secret will be in a file of the host's, readable by whatever reads that.")
		e.Env = map[string]string{keyName: found.key, secretName: found.secret.Reveal(), walletName: found.wallet}
	default:
		file, err := s.envFile(w)
		if err != nil {
			return e, err
		}
		e.Args = append(e.Args, "--env-file", file)
	}
	e.Args = append(e.Args, chosen(w, parsed, s.Ledger)...)
	return e, nil
}

// fit tells whether the settings can go into a host's file: a host would only say
// that the server does not start.
func (s *settings) fit(secrets bool) error {
	api, err := s.client(s.BaseURL, "", client.Secret{})
	if err != nil {
		return usageError{err}
	}
	if _, err := s.options(api.BaseURL(), nil); err != nil {
		return err
	}
	if err := s.named(); err != nil {
		return err
	}
	switch {
	case strings.Contains(s.Ledger, "://"):
		if !secrets {
			return usage("config: the ledger's URL may have a password in it: set WESENDALL_LEDGER in the file of --env-file, or say --with-secrets")
		}
	case s.Ledger != "" && s.Ledger != "memory": // the host runs elsewhere
		s.Ledger, err = filepath.Abs(s.Ledger)
	}
	return err
}

// chosen are the settings of the command line and the environment, which the host
// must not lose: the operator's limits are among them. Those of the file of
// variables stay there. A server over HTTP is no host's to start.
func chosen(w world, parsed *kong.Context, ledger string) []string {
	var args []string
	hands := typed(parsed)
	for _, flag := range parsed.Model.Flags {
		if len(flag.Envs) == 0 || flag.Group != nil && flag.Group.Key == webGroup {
			continue
		}
		value, ok := w.lookup(flag.Envs[0])
		if ok && value != "" || slices.Contains(hands, flag) {
			args = append(args, written(parsed, flag))
		}
	}
	if at := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--ledger=") }); at >= 0 {
		args[at] = "--ledger=" + ledger // whose path is absolute by now
	}
	return args
}

// defaultEnvFile is where the credentials for hosts are, if nothing else is said.
func defaultEnvFile(w world) string {
	return filepath.Join(configHome(w), "wesendall-mcp", "wesendall.env")
}

// envFile is the file that a host's entry names. One that is not there is made,
// for its owner alone, with what the environment has.
func (s *settings) envFile(w world) (string, error) {
	file := s.EnvFile
	if file == "" {
		file = defaultEnvFile(w)
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(file)
	if values, failed := readEnv(file); err == nil && failed == nil && collect(func(name string) (string, bool) { value, ok := values[name]; return value, ok }, file).missing != "" {
		note(w, "Fill in the values that are missing in %s.", file)
	}
	switch {
	case err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		note(w, "Others can read %s: chmod 600 it.", file)
		return file, nil
	case err == nil:
		return file, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	copied := false
	line := func(name, placeholder string) string {
		text, ok := w.lookup(name)
		quoted := name + "='" + text + "'"
		if read, err := parseEnv(quoted); !ok || text == "" || err != nil || read[name] != text {
			return name + "=" + placeholder // a person knows how to write it
		}
		copied = true
		return quoted
	}
	secret := line(secretName, "YOUR_API_SECRET")
	if named, ok := w.lookup(fileName); ok && named != "" && !strings.ContainsAny(named, "'\n") && strings.HasSuffix(secret, "=YOUR_API_SECRET") {
		if named, err = filepath.Abs(named); err != nil {
			return "", err
		}
		secret = fileName + "='" + named + "'"
	}
	text := fmt.Sprintf(envTemplate, line(keyName, "YOUR_API_KEY"), secret, line(walletName, "YOUR_WALLET_ID"))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", err
	}
	if copied {
		note(w, "What the environment has of the credentials is now in %s, which nobody else can read.", file)
	}
	if strings.Contains(text, "=YOUR_") {
		note(w, "Fill in the values that are missing in %s.", file)
	}
	return file, nil
}

const envTemplate = `# Credentials for wesendall-mcp, and what it may do. Nobody else should read this.
# The three values are on the page "API" of the Wesendall dashboard.
%s
%s
%s

# Limits in UGX, as they are unless you change them.
#WESENDALL_MAX_PER_CALL=50000
#WESENDALL_MAX_PER_DAY=100000
#WESENDALL_CONFIRM_ABOVE=1000
#WESENDALL_MAX_TOPUP=500000
`

// hostNames are the choices of the command line.
func hostNames() string { return strings.Join(hosts.Names(), ",") }
