// The official TypeScript SDK, with the session protocol and the stateless one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { command, listSpends, startBlockedAPI } from './launch.mjs';

const versions = {
  '2025-11-25': { mode: 'legacy' },
  '2026-07-28': { mode: { pin: '2026-07-28' } },
};
const names = [
  'get_balance', 'topup_wallet', 'send_sms', 'send_group_sms', 'list_sms_history', 'list_groups', 'create_group', 'add_contacts',
];
const phone = '+256700000010';

for (const [version, versionNegotiation] of Object.entries(versions)) {
  // connect starts a session. With an answer, the client supports elicitation and gives
  // this answer each time.
  async function connect(t, { answer, start = command('typescript') } = {}) {
    const client = new Client(
      { name: 'typescript-sdk', version: '2' },
      { versionNegotiation, capabilities: answer ? { elicitation: {} } : {} },
    );
    const asked = [];
    if (answer) {
      client.setRequestHandler('elicitation/create', async ({ params }) => {
        asked.push(params.message);
        return answer === 'accept' ? { action: answer, content: {} } : { action: answer };
      });
    }
    await client.connect(new StdioClientTransport({ ...start, stderr: 'ignore' }));
    t.after(() => client.close());
    assert.equal(client.getNegotiatedProtocolVersion(), version);
    const call = async (name, args = {}) => {
      const result = await client.callTool({ name, arguments: args });
      assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
      return { ...result.structuredContent, isError: result.isError === true };
    };
    return { client, call, asked };
  }

  test(`${version}: every tool answers`, async (t) => {
    const { client, call } = await connect(t, { answer: 'accept' });
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map((tool) => tool.name), names);
    assert.equal((await call('get_balance')).data.balance, 5000);
    assert.equal((await call('send_sms', { recipient: '0700 000 010', message: 'Hello' })).estimated_cost, 35);
    const group = (await call('create_group', { title: 'Friends' })).data.id;
    assert.equal((await call('add_contacts', { groupId: group, contacts: [{ phone, name: 'S' }] })).data.added, 1);
    assert.equal((await call('list_groups')).data.groups.length, 2);
    assert.equal((await call('send_group_sms', { groupId: group, message: 'Hi all' })).recipients, 1);
    assert.equal((await call('topup_wallet', { amount: 500, phone_number: phone })).isError, false);
    assert.equal((await call('list_sms_history', { per_page: 1 })).data.messages.length, 1);
  });

  test(`${version}: the user is asked, and the answer counts`, async (t) => {
    const money = { recipient: Array.from({ length: 40 }, (_, i) => `+2567000000${10 + i}`), message: 'Hello' };
    const yes = await connect(t, { answer: 'accept' });
    assert.equal((await yes.call('send_sms', money)).estimated_cost, 1400);
    assert.match(yes.asked[0], /40 recipients: [^]* UGX 1,400 /);
    for (const answer of ['decline', 'cancel']) {
      const no = await connect(t, { answer });
      const refused = await no.call('send_sms', money);
      assert.equal(no.asked.length, 1);
      assert.equal(refused.code, 'declined');
      assert.equal((await no.call('get_balance')).data.balance, 5000);
    }
    const nobody = await connect(t);
    const required = await nobody.call('send_sms', money);
    assert.equal(required.code, 'confirmation_required');
    assert.equal((await nobody.call('send_sms', { ...money, quote: required.quote.id })).estimated_cost, 1400);
  });

  test(`${version}: documents and prompts`, async (t) => {
    const { client } = await connect(t);
    const { resources } = await client.listResources();
    for (const { uri, size } of resources) {
      const { contents } = await client.readResource({ uri });
      assert.equal(Buffer.byteLength(contents[0].text), size);
    }
    const { resourceTemplates } = await client.listResourceTemplates();
    assert.equal(resourceTemplates.length, 2);
    const sample = await client.readResource({ uri: 'wesendall://examples/python/send_sms' });
    assert.match(sample.contents[0].text, /WESENDALL_API_KEY/);
    const completed = await client.complete({
      ref: { type: 'ref/resource', uri: resourceTemplates.find(({ name }) => name === 'section').uriTemplate },
      argument: { name: 'section', value: 'err' },
    });
    assert.deepEqual(completed.completion.values, ['errors']);

    const { prompts } = await client.listPrompts();
    const values = { language: 'python', framework: 'django', use_case: 'otp' };
    for (const { name, arguments: wanted = [] } of prompts) {
      const args = Object.fromEntries(wanted.map((a) => [a.name, values[a.name] ?? 'x']));
      const { messages } = await client.getPrompt({ name, arguments: args });
      assert.equal(messages[0].role, 'user');
    }
    const framework = await client.complete({
      ref: { type: 'ref/prompt', name: 'integrate_wesendall' }, argument: { name: 'framework', value: 'd' },
      context: { arguments: { language: 'python' } },
    });
    assert.deepEqual(framework.completion.values, ['Django']);
  });

  test(`${version}: errors are the protocol's own`, async (t) => {
    const { client, call } = await connect(t);
    const code = (expected) => (error) => error.code === expected;
    await assert.rejects(client.callTool({ name: 'send_sm', arguments: {} }), code(-32602));
    await assert.rejects(client.readResource({ uri: 'wesendall://reference/nope' }), code(version < '2026' ? -32002 : -32602));
    await assert.rejects(client.getPrompt({ name: 'integrate_wesendall', arguments: {} }), code(-32602));
    await assert.rejects(client.complete({ ref: { type: 'ref/prompt', name: 'nope' }, argument: { name: 'a', value: '' } }), code(-32602));
    const wrong = await call('send_sms', { to: phone, message: 'Hello' });
    assert.ok(wrong.isError);
    assert.match(wrong.message, /did you mean "recipient"/);
  });

  test(`${version}: a send that is cancelled on its way is carried out once`, async (t) => {
    const api = await startBlockedAPI();
    t.after(api.close);
    const start = command('typescript', api.env, []);
    const { client } = await connect(t, { start });
    const stop = new AbortController();
    const sent = client.callTool({ name: 'send_sms', arguments: { recipient: phone, message: 'Hello' } }, { signal: stop.signal });
    await api.arrived;
    stop.abort();
    await assert.rejects(sent);
    api.release();
    await client.close(); // waits until the server has ended
    assert.equal(api.sends, 1);
    assert.deepEqual(listSpends(start.env).map((spend) => spend.state), ['sent']);
  });

  test(`${version}: a call that is cancelled at once sends nothing or is recorded`, async (t) => {
    const api = await startBlockedAPI();
    t.after(api.close);
    api.release();
    const start = command('typescript', api.env, []);
    const { client } = await connect(t, { start });
    const stop = new AbortController();
    const sent = client.callTool({ name: 'send_sms', arguments: { recipient: phone, message: 'Hello' } }, { signal: stop.signal });
    stop.abort();
    await assert.rejects(sent);
    await client.close();
    const charged = listSpends(start.env).filter((spend) => spend.state === 'sent').length;
    assert.equal(api.sends, charged);
  });

  test(`${version}: a rate-limited call reports progress, and a queue that is too long is refused`, async (t) => {
    const { client } = await connect(t, { start: command('typescript', { WESENDALL_RATE: '1' }) });
    const balance = (options) => client.callTool({ name: 'get_balance', arguments: {} }, options);
    for (let n = 0; n < 5; n++) await balance(); // the burst
    const told = [];
    const answer = await balance({ onprogress: (progress) => told.push(progress) });
    assert.equal(answer.structuredContent.data.balance, 5000);
    assert.match(told[0].message, /^Waiting [\d.]+ s for the rate limit: 1 calls a second/);
    const many = await Promise.all(Array.from({ length: 14 }, () => balance()));
    const refused = many.filter((each) => each.isError);
    assert.ok(refused.length > 0 && refused.length < many.length, `${refused.length} refused`);
    for (const each of refused) assert.equal(each.structuredContent.code, 'rate_limited');
  });
}
