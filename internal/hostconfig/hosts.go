package hostconfig

// Hosts returns all known hosts, in the order of the documents. To add a host, write a
// function like those below and list it here.
func Hosts() []Host {
	return []Host{
		claudeCode(), claudeDesktop(), cursor(), vscode(), windsurf(),
		geminiCLI(), codex(), opencode(), copilotCLI(), zed(),
	}
}

func claudeCode() Host {
	return Host{
		Name: "claude-code", Title: "Claude Code", ConfigPath: inHome(".claude.json"),
		jsonPath: []string{"mcpServers"}, renderEntry: standardEntry,
		AddCommand: func(e Entry) []string {
			command := []string{"claude", "mcp", "add", "--scope", "user", ServerName}
			return appendCommand(appendEnvFlags(command, e.Env), e)
		},
		RemoveCommand: []string{"claude", "mcp", "remove", "--scope", "user", ServerName},
		http: httpConfig{addCommand: func(url string) []string {
			command := []string{"claude", "mcp", "add", "--transport", "http", "--scope", "user", ServerName, url}
			return appendHeaderFlags(command, ": ", variableHeaders("${NAME}"))
		}},
	}
}

func claudeDesktop() Host {
	return Host{
		Name: "claude-desktop", Title: "Claude Desktop", ConfigPath: inConfig("Claude", "claude_desktop_config.json"),
		jsonPath: []string{"mcpServers"}, renderEntry: standardEntry, CanWrite: true,
		http: httpConfig{
			caveat: "accepts no headers in its file, and its connectors support OAuth only. " +
				"It needs a bridge such as `mcp-remote`, a third-party program that sees the secret",
			snippet: func(url string) any {
				bridge := []string{"-y", "mcp-remote@0.15.1", url}
				return nestEntry("mcpServers", standardEntry(Entry{
					Command: "npx",
					Args:    appendHeaderFlags(bridge, ":", variableHeaders("${NAME}")),
					Env: map[string]string{
						EnvAuthorization: placeholderHeaders().Authorization,
						EnvWallet:        placeholderHeaders().Wallet,
					},
				}))
			},
		},
	}
}

func cursor() Host {
	return Host{
		Name: "cursor", Title: "Cursor", ConfigPath: inHome(".cursor", "mcp.json"),
		jsonPath: []string{"mcpServers"}, renderEntry: standardEntry, CanWrite: true,
		http: httpConfig{snippet: func(url string) any {
			return nestEntry("mcpServers", urlEntry{url, variableHeaders("${env:NAME}")})
		}},
	}
}

func vscode() Host {
	return Host{
		Name: "vscode", Title: "VS Code", ConfigPath: inConfig("Code", "User", "mcp.json"),
		jsonPath: []string{"servers"}, renderEntry: standardEntry,
		AddCommand: func(e Entry) []string { return []string{"code", "--add-mcp", string(compactJSON(vscodeEntry(e)))} },
		http: httpConfig{
			caveat:  "asks for both values and keeps them in its secret store",
			snippet: vscodeHTTPFile,
		},
	}
}

func windsurf() Host {
	return Host{
		Name: "windsurf", Title: "Windsurf", ConfigPath: inHome(".codeium", "windsurf", "mcp_config.json"),
		jsonPath: []string{"mcpServers"}, renderEntry: standardEntry,
		http: httpConfig{snippet: func(url string) any {
			return nestEntry("mcpServers", struct {
				URL     string      `json:"serverUrl"`
				Headers authHeaders `json:"headers"`
			}{url, variableHeaders("${env:NAME}")})
		}},
	}
}

func geminiCLI() Host {
	return Host{
		Name: "gemini-cli", Title: "Gemini CLI", ConfigPath: inHome(".gemini", "settings.json"),
		jsonPath: []string{"mcpServers"}, renderEntry: standardEntry,
		AddCommand: func(e Entry) []string {
			command := appendEnvFlags([]string{"gemini", "mcp", "add", "--scope", "user"}, e.Env)
			command = append(command, ServerName, e.Command)
			if len(e.Args) == 0 {
				return command
			}
			return append(append(command, "--"), e.Args...)
		},
		RemoveCommand: []string{"gemini", "mcp", "remove", "--scope", "user", ServerName},
		http: httpConfig{addCommand: func(url string) []string {
			command := []string{"gemini", "mcp", "add", "--transport", "http", "--scope", "user"}
			return append(appendHeaderFlags(command, ": ", variableHeaders("${NAME}")), ServerName, url)
		}},
	}
}

func codex() Host {
	return Host{
		Name: "codex", Title: "Codex", ConfigPath: inHome(".codex", "config.toml"), renderTOML: codexTOML,
		AddCommand: func(e Entry) []string {
			return appendCommand(appendEnvFlags([]string{"codex", "mcp", "add", ServerName}, e.Env), e)
		},
		RemoveCommand: []string{"codex", "mcp", "remove", ServerName},
		http:          httpConfig{snippet: func(url string) any { return codexHTTPTOML(url) }},
	}
}

func opencode() Host {
	return Host{
		Name: "opencode", Title: "opencode", ConfigPath: inDotConfig("opencode", "opencode.json"),
		jsonPath: []string{"mcp"}, renderEntry: opencodeEntry,
		http: httpConfig{addCommand: func(url string) []string {
			command := []string{"opencode", "mcp", "add", ServerName, "--url", url}
			return appendHeaderFlags(command, "=", variableHeaders("{env:NAME}"))
		}},
	}
}

func copilotCLI() Host {
	return Host{
		Name: "copilot-cli", Title: "Copilot CLI", ConfigPath: inHome(".copilot", "mcp-config.json"),
		jsonPath: []string{"mcpServers"}, renderEntry: standardEntry,
		AddCommand: func(e Entry) []string {
			return appendCommand(appendEnvFlags([]string{"copilot", "mcp", "add", ServerName}, e.Env), e)
		},
		RemoveCommand: []string{"copilot", "mcp", "remove", ServerName},
		http: httpConfig{addCommand: func(url string) []string {
			command := []string{"copilot", "mcp", "add", "--transport", "http"}
			return append(appendHeaderFlags(command, ": ", variableHeaders("${NAME}")), ServerName, url)
		}},
	}
}

func zed() Host {
	return Host{
		Name: "zed", Title: "Zed", ConfigPath: inZedDir("settings.json"),
		jsonPath: []string{"context_servers"}, renderEntry: standardEntry,
		http: httpConfig{
			caveat:  "reads no variables there: replace the placeholders and keep that file private",
			snippet: func(url string) any { return nestEntry("context_servers", urlEntry{url, placeholderHeaders()}) },
		},
	}
}
