// A proxy between a host and a server over HTTP. It starts the server, forwards everything
// unchanged, and writes each message of both to a file, as record-stdio.mjs does:
//
//     startRecordProxy(LOG, PROGRAM)
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { createServer, request } from 'node:http';

export async function startRecordProxy(log, program) {
  const server = spawn(program, ['--http', '127.0.0.1:0', '--sandbox', '--metrics', 'off'], { stdio: ['ignore', 'ignore', 'pipe'], env: {} });
  const target = await new Promise((resolve, reject) => {
    let stderr = '';
    server.stderr.on('data', piece => {
      stderr += piece;
      const at = stderr.match(/ at=(http:\S+)/);
      if (at) resolve(new URL(at[1]));
    });
    server.on('close', () => reject(new Error(`the server ended: ${stderr}`)));
  });
  // The sandbox's own credentials.
  const recorder = { refused: new Set(), caller: { WESENDALL_AUTHORIZATION: `Basic ${btoa('sk_test_sandbox:ws_test_secret')}`, WESENDALL_WALLET_ID: 'wal_sandbox' } };
  const write = (from, text) => {
    for (const line of text.split('\n').map(line => line.replace(/^data: ?/, ''))) {
      if (line.startsWith('{"')) appendFileSync(log, JSON.stringify({ from, line }) + '\n');
    }
  };
  const proxy = createServer(async (req, res) => {
    let body = '';
    for await (const piece of req.setEncoding('utf8')) body += piece;
    write('host', body);
    const onward = request(new URL(req.url, target), { method: req.method, headers: { ...req.headers, host: target.host } }, answer => {
      if (answer.statusCode >= 400) recorder.refused.add(`${req.method} ${req.url} (${answer.statusCode})`);
      res.writeHead(answer.statusCode, answer.headers).flushHeaders();
      let text = '';
      answer.setEncoding('utf8').on('data', piece => {
        text += piece;
        res.write(piece);
      }).on('end', () => {
        if (req.method === 'POST') write('server', text); // an error of a GET says only that there is no stream
        res.end();
      });
      answer.on('error', () => res.destroy());
    });
    res.on('close', () => onward.destroy());
    onward.on('error', () => res.destroy());
    onward.end(body);
  });
  await new Promise(listening => proxy.listen(0, '127.0.0.1', listening));
  recorder.url = `http://127.0.0.1:${proxy.address().port}/mcp`;
  recorder.close = () => { server.kill(); proxy.close(); proxy.closeAllConnections(); };
  return recorder;
}
