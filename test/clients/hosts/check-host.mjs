// Checks one host against the built server: node check-host.mjs HOST PROGRAM [--http | --table]
//
// With --http the server is one that speaks HTTP, and the host is told of it by
// the words of docs/hosts.md.
//
// It prints one line, and exits 1 if the host does not list the server, does not
// call the tool, or does not show the model what the tool answered. It belongs
// where there is no network but loopback: see run.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { factsOf, readWire } from './assertions.mjs';
import { hosts } from './hosts.mjs';
import { startModel } from './fake-model.mjs';
import { startWire } from './record-http.mjs';

const answer = 'The balance is 5000.'; // the sandbox's balance

const [key, program, flag] = process.argv.slice(2);
const host = hosts[key];
const here = dirname(fileURLToPath(import.meta.url));
const installed = join(here, 'node_modules', host.package);
const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
const title = `${host.name} ${version.replace(/-linux-x64$/, '')}`;

// The caller clears its temporary folder once everything that a host left is gone.
const home = mkdtempSync(join(tmpdir(), 'host-'));
const work = join(home, 'work');
const log = join(home, 'wire.jsonl');
const model = await startModel('get_balance');
const web = flag === '--http' && await startWire(log, program);
const server = web ? undefined : [process.execPath, join(here, 'record-stdio.mjs'), log, program, '--sandbox'];

try {
  mkdirSync(work);
  const files = host.files?.(server, model.url) ?? {};
  const [told, forFile] = web ? entryFromDocs() : [];
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), forFile ? `${text}\n${told}\n` : text);
  }
  if (web && !forFile) await run('adds the server', words(told).concat(host.unattended ?? []));
  else if (!web && host.add) await run('adds the server', host.add(server));

  const listed = await run('lists its servers', host.list);
  const named = web && host.listedOverHTTP || host.listed;
  must(named.test(listed), `the list does not name the server as ${named}`, listed);

  rmSync(log, { force: true }); // so that it tells of the question alone
  const said = await run('answers', host.ask);
  const wire = readWire(log);
  const calls = wire.host.filter(message => message.method === 'tools/call').map(message => message.params.name);
  must(calls.join() === 'get_balance', `the host called [${calls}]`, said);
  const refused = wire.server.filter(message => message.error).map(message => message.error.message);
  must(refused.length === 0, `the server answered ${refused}`, said);
  must(model.seen.length > 0, 'the result did not reach the model', said);
  must(said.includes(answer), `the answer is not "${answer}"`, said);

  const facts = factsOf(wire, model);
  if (web) {
    delete facts.sees; // nothing was marked
    facts.refused = [...web.refused].join(', ') || 'nothing';
  }
  report(facts);
} catch (error) {
  console.log(`failed  ${title}: ${error.message}`);
  process.exitCode = 1;
} finally {
  model.close();
  if (web) web.close();
}

// entryFromDocs is what docs/hosts.md has for this host, and whether that belongs
// into its file, at the end, instead of being a command.
function entryFromDocs() {
  const page = readFileSync(join(here, '../../../docs/hosts.md'), 'utf8').match(/<!-- remote:[^]*<!-- \/remote -->/)[0];
  const block = page.split('\n**').find(part => part.startsWith(`${host.name}**`)).match(/^ {4}.*$/gm).join('\n');
  const told = block.replace(/^ {4}/gm, '').replaceAll('https://mcp.example.com/mcp', web.url);
  return [told, /^[[{]/.test(told)];
}

// words are the arguments of a command, whose quotes are the shell's.
function words(command) {
  return command.match(/'[^']*'|\S+/g).slice(1).map(word => word.replace(/^'|'$/g, ''));
}

// run runs the host with nothing of this machine's environment but the path.
function run(what, args) {
  const path = join(installed, host.program);
  const [command, ...rest] = path.endsWith('.js') ? [process.execPath, path, ...args] : [path, ...args];
  const child = spawn(command, rest, {
    cwd: work,
    env: { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8', NO_COLOR: '1', ...host.env(model.url), ...web && web.caller },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 75_000,
    killSignal: 'SIGKILL',
  });
  let output = '';
  child.stdout.on('data', piece => { output += piece; });
  child.stderr.on('data', piece => { output += piece; });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${what}: ended with ${code ?? signal}\n${tail(output)}`));
    });
  });
}

function must(holds, otherwise, output) {
  if (!holds) throw new Error(`${otherwise}\n${tail(output)}`);
}

function tail(output) {
  return output.trim().split('\n').slice(-15).map(line => `        ${line}`).join('\n');
}

function report(facts) {
  if (flag === '--table') {
    console.log(`| ${[title, ...Object.values(facts)].join(' | ')} |`);
  } else {
    console.log(`ok      ${title}: ${Object.entries(facts).map(([name, fact]) => `${name} ${fact}`).join('; ')}`);
  }
}
