// A proxy between a host and the server, which writes each line of both to a file:
//
//     node record-stdio.mjs LOG COMMAND [ARGUMENT ...]
//
// It forwards everything unchanged, with one exception. The server's text and its
// structured content say the same, so this marks both. The mark shows which of them the
// host gave to its model.
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';

const [log, command, ...args] = process.argv.slice(2);
const server = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
const write = (from, line) => appendFileSync(log, JSON.stringify({ from, line }) + '\n');

eachLine(process.stdin, line => {
  write('host', line);
  server.stdin.write(line + '\n');
});
eachLine(server.stdout, line => {
  write('server', line);
  process.stdout.write(markForms(line) + '\n');
});

process.stdin.on('end', () => server.stdin.end());
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => server.kill(signal));
server.on('close', code => process.exit(code ?? 1));

// Either side may have ended before the other's last line.
process.stdout.on('error', () => {});
server.stdin.on('error', () => {});

// node:readline also ends a line at U+2028, which JSON allows inside a string.
function eachLine(stream, take) {
  let rest = '';
  stream.setEncoding('utf8').on('data', piece => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop();
    lines.forEach(take);
  });
}

function markForms(line) {
  const message = JSON.parse(line);
  const result = message.result;
  if (!result?.structuredContent || result.isError) return line;
  result.structuredContent.seen_as = 'structured';
  for (const block of result.content) {
    block.text = JSON.stringify({ ...JSON.parse(block.text), seen_as: 'text' });
  }
  return JSON.stringify(message);
}
