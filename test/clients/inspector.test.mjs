// The MCP Inspector's command line, with both protocols. It cannot ask the user, and
// makes one call in each session.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { command } from './launch.mjs';

const inspector = createRequire(import.meta.url).resolve('@modelcontextprotocol/inspector/clients/launcher/build/index.js');

for (const era of ['legacy', 'modern']) {
  // inspect makes one call, and returns its exit code and what it printed.
  function inspect(method, ...more) {
    const server = command('inspector');
    const args = [
      inspector, '--cli', '--protocol-era', era, '--format', 'json', '--method', method, ...more, '--',
      server.command, ...server.args,
    ];
    return new Promise((done) => {
      execFile(process.execPath, args, { env: server.env, timeout: 60_000 }, (error, stdout, stderr) => {
        done({ code: error?.code ?? 0, result: stdout && JSON.parse(stdout).result, stderr });
      });
    });
  }
  const call = async (tool, args) => {
    const { result, ...rest } = await inspect('tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(args));
    return { ...rest, said: result?.structuredContent };
  };

  test(`${era}: the lists, their schemas without a portability error`, async () => {
    const tools = await inspect('tools/list', '--strict');
    assert.equal(tools.code, 0, tools.stderr);
    assert.equal(tools.result.tools.length, 8);
    assert.ok((await inspect('resources/list')).result.resources.length > 10);
    assert.equal((await inspect('resources/templates/list')).result.resourceTemplates.length, 2);
    assert.equal((await inspect('prompts/list')).result.prompts.length, 4);
  });

  test(`${era}: every tool`, async () => {
    const contacts = [{ phone: '+256700000010' }];
    for (const [tool, args] of Object.entries({
      get_balance: {}, send_sms: { recipient: '0700000010', message: 'Hello' }, list_sms_history: { page: 1 }, list_groups: {},
      create_group: { title: 'Friends' }, add_contacts: { groupId: 'grp_customers', contacts },
      send_group_sms: { groupId: 'grp_customers', message: 'Hello', dry_run: true },
    })) {
      const { code, said, stderr } = await call(tool, args);
      assert.equal(code, 0, `${tool}: ${stderr}`);
      assert.equal(said.sandbox, true, tool);
    }
    const asked = await call('topup_wallet', { amount: 500, phone_number: '+256700000010' });
    assert.notEqual(asked.code, 0);
    assert.match(asked.stderr, /isError/);
  });

  test(`${era}: documents, prompts and errors`, async () => {
    const read = await inspect('resources/read', '--uri', 'wesendall://reference/errors');
    assert.match(read.result.contents[0].text, /insufficient_balance/);
    const prompt = await inspect('prompts/get', '--prompt-name', 'integrate_wesendall', '--prompt-args', 'language=go', 'use_case=otp', 'framework=none');
    assert.match(prompt.result.messages[0].content.text, /WESENDALL_API_SECRET/);
    const none = await inspect('resources/read', '--uri', 'wesendall://reference/nope');
    assert.notEqual(none.code, 0);
    assert.match(none.stderr, /there is no section/);
    const tool = await call('send_sm', {});
    assert.notEqual(tool.code, 0);
    assert.match(tool.stderr, /did you mean|not found/);
  });
}
