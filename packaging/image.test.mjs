// Runs the image's program as the image's user, with only the image's files.
// Started by check-image.sh, as root: $ROOTFS is where the files are, $CONFIG is
// the image's configuration.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { session } from './mcp-session.mjs';

const { ROOTFS, CONFIG, VERSION } = process.env;
const { config } = JSON.parse(CONFIG).OCIv1;
const command = ['chroot', `--userspec=${config.User}`, ROOTFS, ...config.Entrypoint];
const env = { ...Object.fromEntries(config.Env.map((pair) => pair.split(/=(.*)/s))), PATH: process.env.PATH };
const certificates = join(ROOTFS, 'etc/ssl/certs/ca-certificates.crt');
const run = (...args) => execFileSync(command[0], [...command.slice(1), ...args], { env, encoding: 'utf8' });
const call = async (base, name, args = {}) => (await session(command[0], [['tools/call', { name, arguments: args }]], {
  args: command.slice(1),
  env: { ...env, WESENDALL_BASE_URL: base, WESENDALL_API_KEY: 'sk_test_image', WESENDALL_API_SECRET: 'ws_test_image', WESENDALL_WALLET_ID: 'wal_image' },
})).results[0];

let api, base, certificate;
before(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tls-'));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', join(dir, 'key'), '-out', join(dir, 'cert')], { stdio: 'pipe' });
  certificate = readFileSync(join(dir, 'cert'), 'utf8');
  api = createServer({ key: readFileSync(join(dir, 'key')), cert: certificate }, (request, response) => {
    request.resume();
    response.end(JSON.stringify({ success: true, data: request.method === 'GET' ? { balance: 5000, cost_per_sms: 35 } : { batch_id: 'b1' } }));
  });
  await new Promise((done) => api.listen(0, '127.0.0.1', done));
  base = `https://127.0.0.1:${api.address().port}`;
});
after(() => api.close());

test('it is the program, the certificates and the ledger\'s directory; not run as root', () => {
  assert.deepEqual(readdirSync(ROOTFS).sort(), ['etc', 'state', 'wesendall-mcp']);
  assert.match(config.User, /^[1-9]\d*:[1-9]\d*$/);
  const name = JSON.parse(readFileSync(join(import.meta.dirname, 'server.json'), 'utf8')).name;
  assert.equal(config.Labels['io.modelcontextprotocol.server.name'], name);
  assert.equal(run('--version').trim(), VERSION);
});

test('it trusts the certificates of the image, and no others', async () => {
  assert.ok(readFileSync(certificates, 'utf8').split('BEGIN CERTIFICATE').length > 50);
  assert.equal((await call(base, 'get_balance')).structuredContent.code, 'unreachable');
  appendFileSync(certificates, `\n${certificate}`);
  const answer = await call(base, 'get_balance');
  assert.ok(!answer.isError, JSON.stringify(answer.structuredContent));
  assert.match(JSON.stringify(answer.structuredContent), /\b5000\b/);
});

test('a spend is written down in the volume', async () => {
  const sent = await call(base, 'send_sms', { recipient: '+256700000001', message: 'Hello' });
  assert.ok(!sent.isError, JSON.stringify(sent.structuredContent));
  const [volume] = Object.keys(config.Volumes);
  const [file] = readdirSync(join(ROOTFS, volume, 'wesendall-mcp')).filter((name) => name.endsWith('.db'));
  const { uid, size } = statSync(join(ROOTFS, volume, 'wesendall-mcp', file));
  assert.equal(`${uid}`, config.User.split(':')[0]);
  assert.ok(size > 0);
});
