// The hosts: how each is configured for the server and the fake model, and asked a
// question. Each gets its own home folder and invalid credentials.
//
//   package, program   the npm package and the program in it; Node runs a .js
//   env                its environment, given the model's address
//   files              its configuration, by path in its home; without the server
//                      if none is given
//   add                the arguments that add the server, instead of files
//   unattended         arguments that the documents' command needs without a user
//   list, listed       the arguments that list servers, and what it says about ours;
//                      Codex and Copilot list without starting the server
//   listedOverHTTP     what it says about ours over HTTP, if that differs
//   ask                the arguments that ask one question without a user

const question = 'What is the balance of the wallet?';

export const hosts = {
  claude: {
    name: 'Claude Code',
    package: '@anthropic-ai/claude-code-linux-x64',
    program: 'claude',
    env: url => ({
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_API_KEY: 'test-key',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
      DISABLE_TELEMETRY: '1',
      DISABLE_ERROR_REPORTING: '1',
    }),
    add: server => ['mcp', 'add', 'wesendall', '--', ...server],
    list: ['mcp', 'list'],
    listed: /wesendall: .*Connected/,
    ask: ['-p', question, '--allowedTools', 'mcp__wesendall__get_balance'],
  },

  codex: {
    name: 'Codex',
    package: '@openai/codex',
    program: 'vendor/x86_64-unknown-linux-musl/bin/codex',
    env: () => ({ TEST_KEY: 'test-key' }),
    files: (server, url) => ({
      '.codex/config.toml': `
model = "fake"
model_provider = "fake"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.fake]
name = "fake"
base_url = "${url}/v1"
wire_api = "responses"
env_key = "TEST_KEY"
${server ? `[mcp_servers.wesendall]
command = ${JSON.stringify(server[0])}
args = ${JSON.stringify(server.slice(1))}
` : ''}`,
    }),
    list: ['mcp', 'list'],
    listed: /wesendall .*enabled/,
    ask: ['exec', '--skip-git-repo-check', question],
  },

  gemini: {
    name: 'Gemini CLI',
    package: '@google/gemini-cli',
    program: 'bundle/gemini.js',
    env: url => ({
      GOOGLE_GEMINI_BASE_URL: url,
      GEMINI_API_KEY: 'test-key',
      GEMINI_CLI_TRUST_WORKSPACE: 'true',
    }),
    files: server => ({
      '.gemini/settings.json': JSON.stringify({
        general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
        privacy: { usageStatisticsEnabled: false },
        security: { auth: { selectedType: 'gemini-api-key' } },
        // Without a user, the model gets the tools of trusted servers only.
        mcpServers: server && { wesendall: { command: server[0], args: server.slice(1), trust: true } },
      }),
    }),
    unattended: ['--trust'],
    list: ['mcp', 'list'],
    listed: /wesendall: .*Connected/,
    // Without -m it first asks another model which one to use.
    ask: ['-p', question, '-m', 'gemini-2.5-pro'],
  },

  opencode: {
    name: 'opencode',
    package: 'opencode-linux-x64-baseline',
    program: 'bin/opencode',
    env: () => ({
      OPENCODE_DISABLE_AUTOUPDATE: '1',
      OPENCODE_DISABLE_MODELS_FETCH: '1',
      OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
    }),
    files: (server, url) => ({
      '.config/opencode/opencode.json': JSON.stringify({
        autoupdate: false,
        share: 'disabled',
        model: 'fake/fake',
        provider: {
          'fake': {
            npm: '@ai-sdk/openai-compatible',
            options: { baseURL: `${url}/v1`, apiKey: 'test-key' },
            models: { 'fake': {} },
          },
        },
        mcp: server && { wesendall: { type: 'local', command: server } },
      }),
    }),
    list: ['mcp', 'list'],
    listed: /✓ wesendall /,
    ask: ['run', question],
  },

  copilot: {
    name: 'Copilot CLI',
    package: '@github/copilot-linux-x64',
    program: 'copilot',
    env: url => ({
      COPILOT_PROVIDER_BASE_URL: `${url}/v1`,
      COPILOT_PROVIDER_API_KEY: 'test-key',
      COPILOT_MODEL: 'fake',
      COPILOT_OFFLINE: 'true',
      COPILOT_AUTO_UPDATE: 'false',
    }),
    files: server => ({
      '.copilot/mcp-config.json': JSON.stringify({
        mcpServers: server ? { wesendall: { type: 'local', command: server[0], args: server.slice(1), tools: ['*'] } } : {},
      }),
    }),
    list: ['mcp', 'list'],
    listed: /wesendall \(local\)/,
    listedOverHTTP: /wesendall \(http\)/,
    ask: ['-p', question, '--disable-builtin-mcps'],
  },
};
