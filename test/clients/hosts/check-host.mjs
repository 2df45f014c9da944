// Checks one host against the built server: node check-host.mjs HOST PROGRAM [--http | --table]
//
// With --http the server speaks HTTP, and the host gets the entry of docs/hosts.md.
//
// It prints one line, and exits 1 if the host does not list the server, does not
// call the tool, or does not show the model what the tool answered. Run it
// where loopback is the only network: see run.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeHost, readRecording } from './assertions.mjs';
import { hosts } from './hosts.mjs';
import { startModel } from './fake-model.mjs';
import { startRecordProxy } from './record-http.mjs';

const answer = 'The balance is 5000.'; // the sandbox's balance

const [key, program, flag] = process.argv.slice(2);
const host = hosts[key];
const here = dirname(fileURLToPath(import.meta.url));
const installed = join(here, 'node_modules', host.package);
const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
const title = `${host.name} ${version.replace(/-linux-x64$/, '')}`;

// The caller removes this folder after every process of the host has ended.
const home = mkdtempSync(join(tmpdir(), 'host-'));
const work = join(home, 'work');
const log = join(home, 'recording.jsonl');
const model = await startModel('get_balance');
const web = flag === '--http' && await startRecordProxy(log, program);
const server = web ? undefined : [process.execPath, join(here, 'record-stdio.mjs'), log, program, '--sandbox'];

try {
  mkdirSync(work);
  const files = host.files?.(server, model.url) ?? {};
  const [entry, forFile] = web ? entryFromDocs() : [];
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), forFile ? `${text}\n${entry}\n` : text);
  }
  if (web && !forFile) await run('adds the server', shellWords(entry).concat(host.unattended ?? []));
  else if (!web && host.add) await run('adds the server', host.add(server));

  const listed = await run('lists its servers', host.list);
  const named = web && host.listedOverHTTP || host.listed;
  must(named.test(listed), `the list does not name the server as ${named}`, listed);

  rmSync(log, { force: true }); // keep only the messages of the question
  const output = await run('answers', host.ask);
  const recording = readRecording(log);
  const calls = recording.host.filter(message => message.method === 'tools/call').map(message => message.params.name);
  must(calls.join() === 'get_balance', `the host called [${calls}]`, output);
  const refused = recording.server.filter(message => message.error).map(message => message.error.message);
  must(refused.length === 0, `the server answered ${refused}`, output);
  must(model.seen.length > 0, 'the result did not reach the model', output);
  must(output.includes(answer), `the answer is not "${answer}"`, output);

  const facts = describeHost(recording, model);
  if (web) {
    delete facts.sees; // the results were not marked
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

// entryFromDocs returns what docs/hosts.md has for this host, and whether that is the end
// of its configuration file or a command.
function entryFromDocs() {
  const page = readFileSync(join(here, '../../../docs/hosts.md'), 'utf8').match(/<!-- remote:[^]*<!-- \/remote -->/)[0];
  const block = page.split('\n**').find(part => part.startsWith(`${host.name}**`)).match(/^ {4}.*$/gm).join('\n');
  const entry = block.replace(/^ {4}/gm, '').replaceAll('https://mcp.example.com/mcp', web.url);
  return [entry, /^[[{]/.test(entry)];
}

// shellWords returns the arguments of a shell command.
function shellWords(command) {
  return command.match(/'[^']*'|\S+/g).slice(1).map(word => word.replace(/^'|'$/g, ''));
}

// run runs the host. From this machine's environment it gets only the path.
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

function must(condition, problem, output) {
  if (!condition) throw new Error(`${problem}\n${tail(output)}`);
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
