// Starts the server for the clients of these tests: the built program behind
// record-proxy.mjs, with its embedded sandbox or an API that blocks.
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

// The program under test, and the folder with a recording of each session.
export const binary = need('WESENDALL_MCP');
export const recordings = need('WIRE_DIR');

function need(name) {
  if (!process.env[name]) throw new Error(`${name} is not set: start these tests with test/clients/run`);
  return process.env[name];
}

let sessions = 0;

// command returns the command that starts the server for one session of a client. The
// name of the recording says whose session it is.
export function command(client, env = {}, args = ['--sandbox']) {
  const recording = join(recordings, `${client}-${process.pid}-${++sessions}.jsonl`);
  return {
    command: process.execPath,
    args: [join(here, 'record-proxy.mjs'), recording, binary, ...args],
    env: { PATH: process.env.PATH, HOME: mkdtempSync(join(tmpdir(), 'home-')), ...env },
  };
}

// startBlockedAPI starts an API that counts the requests to send, and answers none of
// them before release is called.
export async function startBlockedAPI() {
  let arrive, release;
  const api = {
    sends: 0,
    arrived: new Promise((done) => { arrive = done; }),
    release: () => release(),
  };
  const released = new Promise((done) => { release = done; });
  const server = createServer(async (request, response) => {
    for await (const _ of request); // read the whole request
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
    WESENDALL_API_KEY: 'sk_test_blocked', WESENDALL_API_SECRET: 'ws_test_blocked', WESENDALL_WALLET_ID: 'wal_blocked',
  };
  api.close = () => { server.closeAllConnections(); server.close(); };
  return api;
}

// listSpends returns the spends in the server's ledger.
export function listSpends(env) {
  return JSON.parse(execFileSync(binary, ['ledger', '--json'], { env })).spends;
}
