// Streamable HTTP in front of the server on stdio, for the conformance suite,
// which knows no other transport. It moves messages and decides nothing: what
// comes back is what the server said.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

// Pipe is one process of the server.
class Pipe {
  constructor({ command, args, env }) {
    this.process = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'ignore'] });
    this.waiting = new Map(); // by the id of the request
    createInterface({ input: this.process.stdout }).on('line', (line) => this.hear(line));
  }

  // hear gives an answer to who waits for it, and whatever else the server says
  // to all that wait: no two sessions share a process.
  hear(line) {
    const { id, method } = JSON.parse(line);
    const one = method ? null : this.waiting.get(JSON.stringify(id ?? null)) ?? this.waiting.get('null');
    if (one) one.answer(line);
    else for (const each of this.waiting.values()) each.notice(line);
  }

  // ask writes a request, and answers with what comes back for it.
  ask(text, id, notice) {
    return new Promise((answer) => {
      this.waiting.set(id, { notice, answer: (line) => { this.waiting.delete(id); answer(line); } });
      this.tell(text);
    });
  }

  tell(text) { this.process.stdin.write(`${text.replaceAll('\n', ' ')}\n`); }

  close() { this.process.stdin.end(); }
}

// bridge listens on loopback, and starts a process for each session: one for
// each handshake, and one for all requests that need none.
export async function bridge(start) {
  const sessions = new Map();
  const stateless = new Pipe(start());

  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const session = request.headers['mcp-session-id'];
    if (session && !sessions.has(session)) return response.writeHead(404).end();
    if (request.method === 'DELETE') {
      sessions.get(session)?.close();
      sessions.delete(session);
      return response.writeHead(200).end();
    }
    if (request.method !== 'POST') return response.writeHead(405).end();
    let message = {};
    try { message = JSON.parse(text); } catch { /* the server says so itself */ }
    let pipe = sessions.get(session) ?? stateless;
    const headers = { 'Content-Type': 'application/json' };
    if (message.method === 'initialize' && !message.params?._meta?.['io.modelcontextprotocol/protocolVersion']) {
      pipe = new Pipe(start());
      headers['Mcp-Session-Id'] = randomUUID();
      sessions.set(headers['Mcp-Session-Id'], pipe);
    }
    if (message.method && message.id === undefined || 'result' in message) {
      pipe.tell(text);
      return response.writeHead(202).end();
    }
    let streams = false;
    const write = (line) => response.write(`data: ${line}\n\n`);
    const answer = await pipe.ask(text, JSON.stringify(message.id ?? null), (line) => {
      if (!streams) response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream' });
      streams = true;
      write(line);
    });
    if (streams) return response.end(`data: ${answer}\n\n`);
    const { error } = JSON.parse(answer);
    return response.writeHead(error ? status(error.code, pipe === stateless) : 200, headers).end(answer);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}/mcp`,
    close() {
      for (const pipe of [stateless, ...sessions.values()]) pipe.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

// status is the HTTP status that the transport gives an error: of the methods
// there may be, one that is not; of everything else, one that is wrong.
function status(code, stateless) {
  if (stateless) return code === -32601 ? 404 : 400;
  return code === -32700 || code === -32600 ? 400 : 200;
}
