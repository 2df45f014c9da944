// Makes the packages from built programs: a bundle for each system, the entry for the MCP
// registry, and the build context of the Dockerfile.
//
//   node pack.mjs OUT PROGRAM...
//
// One of the programs must be for this machine: it lists its tools and prompts. The
// version is the one that the Go toolchain wrote into it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { session } from './mcp-session.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const read = (name) => JSON.parse(readFileSync(join(here, name), 'utf8'));
const run = (command, ...args) => execFileSync(command, args, { encoding: 'utf8', cwd: here });
const fail = (text) => { console.error(`pack.mjs: ${text}`); process.exit(1); };

const [out, ...paths] = process.argv.slice(2).map((path) => resolve(path));
if (!paths.length) fail('usage: node pack.mjs OUT PROGRAM...');

const programs = paths.map((path) => {
  const info = JSON.parse(run('go', 'version', '-m', '-json', path));
  const setting = (key) => info.Settings.find((s) => s.Key === key)?.Value;
  return { path, os: setting('GOOS'), arch: setting('GOARCH'), version: info.Main.Version?.replace(/^v/, '') };
});
const { version } = programs[0];
if (!/^\d+\.\d+\.\d+/.test(version)) fail(`${paths[0]} has no version: build it in a clone, with -buildvcs=true`);
for (const p of programs) if (p.version !== version) fail(`${p.path} is ${p.version}, not ${version}`);
const [os, arch] = run('go', 'env', 'GOHOSTOS', 'GOHOSTARCH').split('\n');
const native = programs.find((p) => p.os === os && p.arch === arch);
if (!native) fail(`none of the programs is for ${os} ${arch}`);

// What the program lists.
const scratch = mkdtempSync(join(tmpdir(), 'pack-'));
const { results: [{ tools }, { prompts }] } = await session(native.path, [['tools/list'], ['prompts/list']], { args: ['--sandbox'], cwd: scratch });
const help = run(native.path, '--help').replace(/\s+/g, ' ');

const manifest = read('manifest.json');
manifest.version = version;
manifest.tools = tools.map(({ name, description }) => ({ name, description }));
manifest.prompts = prompts.map(({ name, description, arguments: args = [] }) => ({
  name, description, arguments: args.map((a) => a.name),
  text: [`${description}.`, ...args.map((a) => `${a.name}: \${arguments.${a.name}}`)].join('\n'),
}));
const { env } = manifest.server.mcp_config;
const variables = Object.entries(env).map(([name, value]) => {
  const option = manifest.user_config[value.match(/^\$\{user_config\.(\w+)\}$/)[1]];
  if (option.type === 'number') { // the default that its flag has
    const told = help.match(new RegExp(`default (\\d+) \\(\\$${name}\\)`));
    if (!told) fail(`${name} has no default in --help`);
    option.default = Number(told[1]);
  }
  return {
    name, description: option.description, format: option.type,
    isRequired: option.required ?? false, isSecret: option.sensitive ?? false,
    ...(option.default !== undefined && { default: String(option.default) }),
  };
});

mkdirSync(out, { recursive: true });
const bundles = programs.map((p) => {
  const dir = join(scratch, `${p.os}-${p.arch}`);
  const name = 'wesendall-mcp' + (p.os === 'windows' ? '.exe' : '');
  mkdirSync(join(dir, 'server'), { recursive: true });
  copyFileSync(p.path, join(dir, 'server', name));
  chmodSync(join(dir, 'server', name), 0o755);
  for (const file of ['README.md', 'LICENSE']) copyFileSync(join(here, '..', file), join(dir, file));
  const own = structuredClone(manifest);
  own.server.entry_point = `server/${name}`;
  own.server.mcp_config.command = `\${__dirname}/server/${name}`;
  own.compatibility.platforms = [p.os === 'windows' ? 'win32' : p.os];
  writeFileSync(join(dir, 'manifest.json'), JSON.stringify(own, null, 2));
  const file = `wesendall-mcp_${p.os}_${p.arch}.mcpb`;
  run(join(here, 'node_modules', '.bin', 'mcpb'), 'pack', dir, join(out, file));
  return file;
});

const server = read('server.json');
server.version = version;
for (const image of server.packages) {
  image.identifier += `:${version.replace('+', '-')}`;
  image.environmentVariables = variables;
}
server.packages.unshift(...bundles.map((file) => ({
  registryType: 'mcpb',
  identifier: `${server.repository.url}/releases/download/v${version}/${file}`,
  version,
  fileSha256: createHash('sha256').update(readFileSync(join(out, file))).digest('hex'),
  transport: { type: 'stdio' },
})));
writeFileSync(join(out, 'server.json'), JSON.stringify(server, null, 2) + '\n');

const context = join(out, 'image');
mkdirSync(join(context, 'state'), { recursive: true });
copyFileSync('/etc/ssl/certs/ca-certificates.crt', join(context, 'ca-certificates.crt'));
for (const p of programs.filter((p) => p.os === 'linux')) {
  const dir = join(context, p.os, p.arch);
  mkdirSync(dir, { recursive: true });
  copyFileSync(p.path, join(dir, 'wesendall-mcp'));
  chmodSync(join(dir, 'wesendall-mcp'), 0o755);
}
rmSync(scratch, { recursive: true });
console.log(`${version}: ${bundles.join(', ')}, server.json, image`);
