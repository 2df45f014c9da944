// Stands between a client and a server on stdio, passes everything on as it is,
// and appends each line to a file with the side that wrote it.
import { spawn } from 'node:child_process';
import { openSync, writeSync } from 'node:fs';

const [file, program, ...args] = process.argv.slice(2);
const record = openSync(file, 'a');
const server = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });

function pass(from, input, output) {
  let rest = '';
  input.setEncoding('utf8');
  input.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) writeSync(record, `${JSON.stringify({ from, line })}\n`);
    output.write(text);
  });
  input.on('end', () => {
    if (rest) writeSync(record, `${JSON.stringify({ from, line: rest })}\n`);
    output.end();
  });
}

pass('client', process.stdin, server.stdin);
pass('server', server.stdout, process.stdout);
server.stdin.on('error', () => {}); // it ended first
process.stdout.on('error', () => server.kill());
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => server.kill(signal));
server.on('exit', (code, signal) => { process.exitCode = signal ? 1 : code; process.stdin.destroy(); });
