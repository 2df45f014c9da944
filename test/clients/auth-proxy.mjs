// A proxy between the conformance suite, which has no credentials, and a server over
// HTTP. It adds the sandbox's credentials, records the messages and changes nothing
// else.
import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { binary, recordings } from './launch.mjs';

const credentials = {
  authorization: `Basic ${Buffer.from('sk_test_sandbox:ws_test_secret').toString('base64')}`,
  'x-wesendall-wallet': 'wal_sandbox',
};

// startAuthProxy starts the server on loopback, and the proxy before it.
export async function startAuthProxy(client) {
  // One file for each of the two protocols, as if it were a session.
  const record = (protocol, from, line) => {
    if (line.trim()) appendFileSync(join(recordings, `${client}-${process.pid}-${protocol}.jsonl`), `${JSON.stringify({ from, line })}\n`);
  };
  const program = spawn(binary, ['--http', '127.0.0.1:0', '--sandbox'], {
    env: { PATH: process.env.PATH, HOME: mkdtempSync(join(tmpdir(), 'home-')) }, stdio: ['ignore', 'ignore', 'pipe'],
  });
  const port = await new Promise((found, fail) => {
    createInterface({ input: program.stderr }).on('line', (line) => {
      const [, port] = line.match(/at=http:\/\/127\.0\.0\.1:(\d+)\/mcp/) ?? [];
      if (port) found(Number(port));
    });
    program.on('exit', (code) => fail(new Error(`the server ended with ${code}`)));
  });

  const server = createServer(async (incoming, outgoing) => {
    let text = '';
    for await (const chunk of incoming.setEncoding('utf8')) text += chunk;
    const protocol = incoming.headers['mcp-protocol-version'] >= '2026' ? 'stateless' : 'session';
    record(protocol, 'client', text.replaceAll('\n', ' '));
    const headers = { ...incoming.headers, ...credentials };
    for (const name of ['host', 'origin']) headers[name] &&= headers[name].replace(`:${server.address().port}`, `:${port}`);
    const forward = request({ host: '127.0.0.1', port, path: incoming.url, method: incoming.method, headers }, async (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      const streams = answer.headers['content-type'] === 'text/event-stream';
      let body = '';
      try {
        for await (const chunk of answer.setEncoding('utf8')) {
          outgoing.write(chunk);
          body += chunk;
        }
      } catch { /* the client disconnected */ }
      for (const line of body.split('\n')) {
        if (!streams || line.startsWith('data: ')) record(protocol, 'server', line.replace(/^data: /, ''));
      }
      outgoing.end();
    });
    outgoing.on('close', () => forward.destroy());
    forward.on('error', () => outgoing.destroy());
    forward.end(text);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}/mcp`,
    // close ends the server, and returns its exit code.
    close() {
      server.closeAllConnections();
      server.close();
      program.removeAllListeners('exit');
      return new Promise((ended) => { program.on('exit', ended); program.kill('SIGTERM'); });
    },
  };
}
