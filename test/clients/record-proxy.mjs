// A proxy between a client and a server over stdio. It forwards everything unchanged,
// and appends each line to a file with the side that wrote it.
import { spawn } from 'node:child_process';
import { openSync, writeSync } from 'node:fs';

const [file, program, ...args] = process.argv.slice(2);
const recording = openSync(file, 'a');
const server = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });

function forward(from, input, output) {
  let rest = '';
  input.setEncoding('utf8');
  input.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) writeSync(recording, `${JSON.stringify({ from, line })}\n`);
    output.write(text);
  });
  input.on('end', () => {
    if (rest) writeSync(recording, `${JSON.stringify({ from, line: rest })}\n`);
    output.end();
  });
}

forward('client', process.stdin, server.stdin);
forward('server', server.stdout, process.stdout);
server.stdin.on('error', () => {}); // the server ended
process.stdout.on('error', () => server.kill());
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => server.kill(signal));
server.on('exit', (code, signal) => { process.exitCode = signal ? 1 : code; process.stdin.destroy(); });
