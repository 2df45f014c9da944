// Starts what the clients of these tests talk to: the built server, behind a
// recorder of its wire, on its own embedded sandbox or on an API that waits.
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

// The binary under test, and where the wire of every session is recorded.
export const binary = need('WESENDALL_MCP');
export const records = need('WIRE_DIR');

function need(name) {
  if (!process.env[name]) throw new Error(`${name} is not set: start these tests with test/clients/run`);
  return process.env[name];
}

let sessions = 0;

// command starts the server for one session of a client. The recorder is told
// whose session it is by the name of its file.
export function command(client, env = {}, args = ['--sandbox']) {
  const record = join(records, `${client}-${process.pid}-${++sessions}.jsonl`);
  return {
    command: process.execPath,
    args: [join(here, 'record-proxy.mjs'), record, binary, ...args],
    env: { PATH: process.env.PATH, HOME: mkdtempSync(join(tmpdir(), 'home-')), ...env },
  };
}

// waiting is an API that counts the sends it is asked for, and answers none of
// them before it is told to.
export async function waiting() {
  let arrive, release;
  const api = {
    sends: 0,
    arrived: new Promise((done) => { arrive = done; }),
    release: () => release(),
  };
  const released = new Promise((done) => { release = done; });
  const server = createServer(async (request, response) => {
    for await (const _ of request); // the whole request is there
    if (request.method === 'GET') {
      response.end(JSON.stringify({ success: true, data: { balance: 5000, cost_per_sms: 35 } }));
      return;
    }
    api.sends++;
    arrive();
    await released;
    response.end(JSON.stringify({ success: true, data: { batch_id: 'b1' } }));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  api.env = {
    WESENDALL_BASE_URL: `http://127.0.0.1:${server.address().port}`,
    WESENDALL_API_KEY: 'sk_test_waiting', WESENDALL_API_SECRET: 'ws_test_waiting', WESENDALL_WALLET_ID: 'wal_waiting',
  };
  api.close = () => { server.closeAllConnections(); server.close(); };
  return api;
}

// ledger is what the server wrote down of its spends, by its own command.
export function ledger(env) {
  return JSON.parse(execFileSync(binary, ['ledger', '--json'], { env })).spends;
}
