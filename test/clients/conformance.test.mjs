// The published conformance suite's server scenarios, as far as they apply to
// any server. README.md says which are excluded, and why.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startAuthProxy } from './auth-proxy.mjs';

const suite = createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/dist/index.js');

const always = ['tools-list', 'resources-list', 'prompts-list'];
const transport = ['dns-rebinding-protection', 'server-sse-multiple-streams'];
const scenarios = {
  '2025-11-25': ['server-initialize', 'ping', 'server-session-lifecycle', ...transport, ...always],
  '2026-07-28': ['server-stateless', 'http-header-validation', 'sep-2164-resource-not-found', 'caching', ...transport, ...always],
};

// Checks of these scenarios that the server cannot meet, and why. One that
// passes fails the test, so that the list stays correct.
const excluded = {
  'sep-2575-server-rejects-undeclared-capability': 'needs the fixture tool test_missing_capability',
  'sep-2575-missing-capability-http-400': 'needs the fixture tool test_missing_capability',
  'sep-2575-http-server-no-independent-requests-on-stream': 'needs the fixture tool test_streaming_elicitation',
  'sep-2575-server-no-log-without-loglevel': 'needs the fixture tool test_logging_tool',
};

let server;
before(async () => { server = await startAuthProxy('conformance'); });
after(async () => assert.equal(await server.close(), 0));

// run runs a scenario and returns its checks.
function run(scenario, revision) {
  const dir = mkdtempSync(join(tmpdir(), 'conformance-'));
  const args = [suite, 'server', '--url', server.url, '--scenario', scenario, '--spec-version', revision, '--output-dir', dir];
  return new Promise((done, fail) => {
    execFile(process.execPath, args, { timeout: 60_000 }, (error, stdout) => {
      const [report] = readdirSync(dir);
      if (!report) fail(error ?? new Error(stdout));
      else done(JSON.parse(readFileSync(join(dir, report, 'checks.json'), 'utf8')));
    });
  });
}

for (const [revision, names] of Object.entries(scenarios)) {
  for (const scenario of names) {
    test(`${revision}: ${scenario}`, async () => {
      const checks = await run(scenario, revision);
      assert.ok(checks.some(({ status }) => status === 'SUCCESS'));
      const faults = checks.filter(({ status }) => status === 'FAILURE');
      assert.deepEqual(faults.filter(({ id }) => !excluded[id]).map(({ id, errorMessage }) => `${id}: ${errorMessage}`), []);
      const passed = checks.filter(({ id, status }) => excluded[id] && status !== 'FAILURE');
      assert.deepEqual(passed.map(({ id }) => id), [], 'passes, and need not be in the list');
    });
  }
}
