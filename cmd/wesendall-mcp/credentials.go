package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/loopback"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// The variables that credentials come from.
const (
	envAPIKey        = "WESENDALL_API_KEY"         //nolint:gosec // a name, not a value
	envAPISecret     = "WESENDALL_API_SECRET"      //nolint:gosec // a name, not a value
	envAPISecretFile = "WESENDALL_API_SECRET_FILE" //nolint:gosec // a name, not a value
	envWalletID      = "WESENDALL_WALLET_ID"
)

func credentialVariables() []string {
	return []string{envAPIKey, envAPISecret, envAPISecretFile, envWalletID}
}

// credentials are the values that a call to Wesendall needs.
type credentials struct {
	key    string
	secret client.Secret
	wallet string
	origin string // where they came from, for the user
	dotEnv string // the .env of the working directory that they came from; "" if from elsewhere
	// problem says why the credentials cannot be used and what to set; "" if they can.
	problem string
}

// dotEnvSource names the .env of the working directory as an origin.
const dotEnvSource = ".env in the working directory"

// loadCredentials finds the credentials. Missing ones are a problem and not an error,
// because the server starts without them.
func (cfg *Config) loadCredentials(env environment) (credentials, error) {
	if err := cfg.variables.err; err != nil {
		return credentials{}, err
	}
	origin := "the environment"
	if cfg.EnvFile != "" {
		origin += " and " + cfg.EnvFile
	}
	isSet := func(name string) bool { return cfg.variables.source(name) != "" }
	if slices.ContainsFunc(credentialVariables(), isSet) {
		return readCredentials(cfg.variables.lookup, origin), nil
	}
	path := filepath.Join(env.workDir, ".env")
	dotEnv, problem := loadDotEnv(path)
	if dotEnv == nil {
		return credentials{problem: "set " + envAPIKey + ", " + envAPISecret + " and " + envWalletID + problem +
			", or start with --sandbox to try it."}, nil
	}
	creds := readCredentials(mapLookup(dotEnv), dotEnvSource)
	creds.dotEnv = path
	return creds, nil
}

// maxShownWalletRunes is how much of a wallet's id from a .env is shown to a user.
const maxShownWalletRunes = 80

// walletNotice names the wallet and its file, if a project may have brought them along; ""
// otherwise. A test of a project against an API on this machine needs no notice.
func (c credentials) walletNotice(baseURL string) string {
	u, err := url.Parse(baseURL)
	if c.dotEnv == "" || err == nil && loopback.IsHost(u.Hostname()) {
		return ""
	}
	return fmt.Sprintf("the wallet %q and its key come from the file %q, which may belong to the project in that folder "+
		"and not to you", sanitize.Truncate(c.wallet, maxShownWalletRunes), c.dotEnv)
}

// loadDotEnv reads the .env of the working directory. A repository that an agent opens may
// contain one, so it counts only if it has all three credentials, and the rest is
// ignored.
func loadDotEnv(path string) (values map[string]string, problem string) {
	vars, err := readEnvFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ""
	case err != nil:
		return nil, " (the .env in the working directory cannot be read)"
	}
	values = map[string]string{}
	for _, name := range []string{envAPIKey, envAPISecret, envWalletID} {
		if values[name] = vars[name]; values[name] == "" {
			return nil, " (the .env in the working directory has no " + name + "; it is used only with all three)"
		}
	}
	return values, ""
}

// readCredentials reads the credentials and checks them.
func readCredentials(lookup lookupFunc, origin string) credentials {
	c := credentials{origin: origin}
	var problems []string
	value := func(name string) string {
		text, _ := lookup(name)
		text = strings.TrimSpace(text)
		if name == envAPISecretFile && sanitize.Placeholder(text) == "" {
			return text // a path
		}
		if fault := credentialFault(text); fault != "" {
			problems = append(problems, name+fault)
			return ""
		}
		return text
	}
	c.key, c.wallet = value(envAPIKey), value(envWalletID)
	secret, file := value(envAPISecret), value(envAPISecretFile)
	switch {
	case secret != "" && file != "":
		problems = append(problems, "set "+envAPISecret+" or "+envAPISecretFile+", not both")
	case file != "":
		var problem string
		if secret, problem = readSecretFile(file); problem != "" {
			problems = append(problems, envAPISecretFile+problem)
		}
	}
	if len(problems) == 0 && c.key == "" {
		problems = append(problems, "set "+envAPIKey)
	}
	if len(problems) == 0 && secret == "" {
		problems = append(problems, "set "+envAPISecret+" or "+envAPISecretFile)
	}
	if strings.Contains(c.key, ":") {
		problems = append(problems, envAPIKey+" must not contain a colon")
	}
	// A secret in the wrong place would be shown: nothing of it is kept.
	isSecret := func(text string) bool {
		return secretPattern().MatchString(text) || len(secret) >= minRedactedLen && strings.Contains(text, secret)
	}
	if areSwapped(c.key, secret) {
		problems = append(problems, envAPIKey+" and "+envAPISecret+" are swapped: the key begins with sk_")
		c.key, secret = "", ""
	}
	if isSecret(c.key) {
		problems, c.key = append(problems, misplacedSecretError(envAPIKey).Error()), ""
	}
	if isSecret(c.wallet) {
		problems, c.wallet = append(problems, misplacedSecretError(envWalletID).Error()), ""
	}
	c.secret = client.NewSecret(secret)
	if len(problems) > 0 {
		c.problem = strings.Join(problems, "; ") + "."
	}
	return c
}

// areSwapped tells whether the secret is where the key belongs, and the other way round.
func areSwapped(key, secret string) bool {
	return keyPattern().MatchString(secret) && !keyPattern().MatchString(key)
}

// readSecretFile reads a file that holds only the secret, with or without a byte order mark.
// The problem continues a sentence that starts with the variable's name.
func readSecretFile(path string) (secret, problem string) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator chooses it
	if err != nil {
		return "", " cannot be read: " + err.Error()
	}
	if isUTF16(text) {
		return "", " names a file in UTF-16: save it as UTF-8"
	}
	switch secret = strings.TrimSpace(string(sanitize.TrimByteOrderMark(text))); {
	case secret == "":
		return "", " names an empty file"
	case sanitize.Placeholder(secret) != "":
		return secret, " names a file with a placeholder"
	}
	if fault := credentialFault(secret); fault != "" {
		return secret, " names a file of which the content cannot be a secret: it" + fault
	}
	return secret, ""
}
