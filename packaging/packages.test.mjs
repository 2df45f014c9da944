// Compares the packages in $PACKAGES with the program in them, with the tools that read
// them, and with each other. check-packages.sh starts it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { getMcpConfigForManifest } from '@anthropic-ai/mcpb';
import Ajv from 'ajv';
import formats from 'ajv-formats';
import { session } from './mcp-session.mjs';

const { PACKAGES, VERSION, SCHEMAS } = process.env;
for (const [name, value] of Object.entries({ PACKAGES, VERSION, SCHEMAS })) if (!value) throw new Error(`${name} is not set: start these tests with packaging/check-packages.sh`);
const json = (...path) => JSON.parse(readFileSync(join(...path), 'utf8'));
const mcpb = (...args) => execFileSync(join(import.meta.dirname, 'node_modules/.bin/mcpb'), args, { encoding: 'utf8' });
const empty = () => mkdtempSync(join(tmpdir(), 'empty-'));

const files = readdirSync(PACKAGES).filter((file) => file.endsWith('.mcpb'));
const bundles = files.map((file) => {
  const dir = join(empty(), 'bundle');
  mcpb('unpack', join(PACKAGES, file), dir);
  return { file, dir, manifest: json(dir, 'manifest.json') };
});
const native = bundles.find(({ file, manifest }) =>
  manifest.compatibility.platforms.includes(process.platform) && file.includes(process.arch.replace('x64', 'amd64')));
const filled = { api_key: 'sk_test_0001', api_secret: 'ws_secret_0001', wallet_id: 'wal_1' };

// config returns what a host makes of the manifest: all that the program gets.
async function config(userConfig, change = () => {}) {
  const manifest = structuredClone(native.manifest);
  change(manifest);
  const made = await getMcpConfigForManifest({ manifest, userConfig, extensionPath: native.dir, systemDirs: {}, pathSeparator: '/' });
  return made && [made.command, { args: made.args, env: { ...made.env, HOME: empty() }, cwd: empty() }];
}
async function ask(requests, ...given) {
  const [command, options] = await config(...given);
  return session(command, requests, options);
}

test('each bundle is valid, of this version, and names the file that it has', () => {
  assert.ok(native, `none of ${files} is for this machine`);
  for (const { dir, manifest } of bundles) {
    mcpb('validate', dir);
    assert.equal(manifest.version, VERSION);
    assert.equal(manifest.server.mcp_config.command, '${__dirname}/' + manifest.server.entry_point);
    assert.deepEqual(readdirSync(dir).sort(), ['LICENSE', 'README.md', 'manifest.json', 'server']);
    assert.deepEqual(readdirSync(join(dir, 'server')).map((name) => `server/${name}`), [manifest.server.entry_point]);
    assert.equal(manifest.server.entry_point.endsWith('.exe'), manifest.compatibility.platforms.includes('win32'));
  }
});

test('every setting is passed on, and the credentials are required and hidden', () => {
  const { user_config: settings, server } = native.manifest;
  const passed = Object.values(server.mcp_config.env);
  assert.deepEqual(passed.sort(), Object.keys(settings).map((name) => `\${user_config.${name}}`).sort());
  for (const [name, setting] of Object.entries(settings)) {
    // A host leaves a placeholder where there is no value, which the program rejects.
    assert.ok(setting.required || setting.default !== undefined, `${name} may be left without a value`);
  }
  for (const name of ['api_key', 'api_secret']) assert.ok(settings[name].sensitive && settings[name].required, name);
  const help = execFileSync(join(native.dir, server.entry_point), ['--help'], { encoding: 'utf8', env: {} });
  for (const name of Object.keys(server.mcp_config.env)) assert.match(help, new RegExp(`\\b${name}\\b`));
});

test('filled in, the unpacked program serves eight tools, as the manifest lists them', async () => {
  const { hello, results: [{ tools }, { prompts }] } = await ask([['tools/list'], ['prompts/list']], filled);
  assert.equal(tools.length, 8);
  assert.equal(hello.serverInfo.version, VERSION);
  assert.deepEqual(native.manifest.tools, tools.map(({ name, description }) => ({ name, description })));
  assert.deepEqual(
    native.manifest.prompts.map(({ name, description, arguments: args }) => [name, description, args]),
    prompts.map(({ name, description, arguments: args = [] }) => [name, description, args.map((a) => a.name)]),
  );
});

test('the optional settings arrive', async () => {
  const { results: [{ tools }] } = await ask([['tools/list']], { ...filled, read_only: true });
  assert.ok(tools.length > 0 && tools.every((tool) => tool.annotations.readOnlyHint), JSON.stringify(tools.map((t) => t.name)));
  for (const [name, flag] of [['max_per_call', '--max-per-call'], ['max_per_day', '--max-per-day'], ['max_topup', '--max-topup'], ['confirm_above', '--confirm-above']]) {
    await assert.rejects(ask([], { ...filled, [name]: -1 }), new RegExp(flag));
  }
});

test('not filled in, a call says what is missing', async () => {
  assert.equal(await config({}), undefined); // a host that checks does not start it
  const lax = (manifest) => { for (const setting of Object.values(manifest.user_config)) setting.required = false; };
  const variables = ['WESENDALL_API_KEY', 'WESENDALL_API_SECRET', 'WESENDALL_WALLET_ID'];
  for (const [what, values, named, not] of [
    ['left as they are', {}, variables, []],
    ['empty', { api_key: '', api_secret: '', wallet_id: '' }, variables, []],
    ['no secret', { ...filled, api_secret: '' }, ['WESENDALL_API_SECRET'], ['WESENDALL_API_KEY']],
  ]) {
    const { results: [answer] } = await ask([['tools/call', { name: 'get_balance', arguments: {} }]], values, lax);
    assert.equal(answer.isError, true, what);
    assert.equal(answer.structuredContent.code, 'not_configured', what);
    for (const name of named) assert.match(answer.structuredContent.message, new RegExp(`\\b${name}\\b`), what);
    for (const name of not) assert.doesNotMatch(answer.structuredContent.message, new RegExp(`\\b${name}\\b`), what);
  }
});

test('server.json is valid by the newest schema that the registry has', () => {
  const newest = readdirSync(SCHEMAS).filter((name) => /^\d{4}-\d\d-\d\d\.json$/.test(name)).sort().at(-1);
  const schema = json(SCHEMAS, newest);
  const valid = formats(new Ajv({ strict: false })).compile(schema);
  const server = json(PACKAGES, 'server.json');
  assert.equal(server.$schema, schema.$id);
  assert.ok(valid(server), JSON.stringify(valid.errors));
  for (const name of ['name', 'version', 'description']) assert.ok(!valid({ ...server, [name]: undefined }), `${name} was not missed`);
  assert.ok(!valid({ ...server, packages: [{ ...server.packages[0], fileSha256: 'none' }] }));
});

test('server.json has each bundle with its sum, the image and this version', () => {
  const server = json(PACKAGES, 'server.json');
  assert.equal(server.version, VERSION);
  const listed = server.packages.filter((p) => p.registryType === 'mcpb');
  assert.deepEqual(listed.map((p) => p.identifier.split('/').at(-1)).sort(), files.sort());
  for (const { identifier, version, fileSha256 } of listed) {
    assert.equal(version, VERSION);
    // The registry accepts nothing else.
    assert.match(identifier, /^https:\/\/github\.com\/wesendall\/wesendall-mcp\/releases\/download\/[^/]+\/[^/]+\.mcpb$/);
    assert.ok(identifier.includes(`/v${VERSION}/`), identifier);
    assert.equal(fileSha256, createHash('sha256').update(readFileSync(join(PACKAGES, identifier.split('/').at(-1)))).digest('hex'));
  }
  const image = server.packages.find((p) => p.registryType === 'oci');
  assert.ok(image.identifier.endsWith(`:${VERSION.replace('+', '-')}`), image.identifier);
  for (const field of ['version', 'fileSha256', 'registryBaseUrl']) assert.ok(!(field in image), field);
  const { env, user_config } = { ...native.manifest.server.mcp_config, ...native.manifest };
  assert.deepEqual(image.environmentVariables.map((v) => v.name), Object.keys(env));
  assert.deepEqual(image.environmentVariables.map((v) => v.isSecret), Object.values(user_config).map((s) => s.sensitive ?? false));
  const dockerfile = readFileSync(join(import.meta.dirname, 'Dockerfile'), 'utf8');
  assert.equal(dockerfile.match(/^LABEL io\.modelcontextprotocol\.server\.name="(.*)"$/m)[1], server.name);
});
