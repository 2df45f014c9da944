// Runs one session with the program. It returns the answer to each request, in order.
import { spawn } from 'node:child_process';

export async function session(command, requests, { args = [], env = {}, cwd } = {}) {
  const child = spawn(command, args, { env, cwd });
  let out = '', err = '';
  child.stdout.on('data', (text) => { out += text; });
  child.stderr.on('data', (text) => { err += text; });
  child.stdin.on('error', () => {}); // the program may have ended at once
  const initialize = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'packaging', version: '1' } };
  const messages = [
    { id: 0, method: 'initialize', params: initialize }, { method: 'notifications/initialized' },
    ...requests.map(([method, params], i) => ({ id: i + 1, method, params })),
  ];
  child.stdin.end(messages.map((m) => JSON.stringify({ jsonrpc: '2.0', ...m }) + '\n').join(''));
  const code = await new Promise((done, fail) => { child.on('error', fail); child.on('close', done); });
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${err}`);
  const answers = out.trim().split('\n').map((line) => JSON.parse(line));
  const results = [{ id: 0 }, ...messages.slice(2)].map(({ id }) => {
    const answer = answers.find((a) => a.id === id);
    if (!answer?.result) throw new Error(`no result for ${id}: ${out}${err}`);
    return answer.result;
  });
  return { hello: results[0], results: results.slice(1), err };
}
