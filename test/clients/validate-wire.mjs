// Validates every recorded message with the official JSON Schema of the revision that
// its session speaks. It runs after all other tests.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv';
import Ajv2020 from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { officialSchemas } from './schemas.mjs';
import { recordings } from './launch.mjs';

const metaVersion = 'io.modelcontextprotocol/protocolVersion';

// The definition of each method's result.
const results = {
  initialize: 'InitializeResult', ping: 'EmptyResult', 'server/discover': 'DiscoverResult',
  'tools/list': 'ListToolsResult', 'tools/call': 'CallToolResult',
  'resources/list': 'ListResourcesResult', 'resources/templates/list': 'ListResourceTemplatesResult', 'resources/read': 'ReadResourceResult',
  'prompts/list': 'ListPromptsResult', 'prompts/get': 'GetPromptResult', 'completion/complete': 'CompleteResult',
  'elicitation/create': 'ElicitResult', 'subscriptions/listen': 'SubscriptionsListenResult',
};

// validators compiles the definitions of each revision.
function validators() {
  const byRevision = new Map();
  for (const [revision, schema] of officialSchemas()) {
    const under = schema.$defs ? '$defs' : 'definitions';
    const ajv = new (schema.$defs ? Ajv2020 : Ajv)({ strict: false, allErrors: true });
    formats(ajv);
    ajv.addSchema(schema, revision);
    const compiled = new Map();
    byRevision.set(revision, (name, value) => {
      if (!schema[under][name]) return `there is no ${name} in ${revision}`;
      if (!compiled.has(name)) compiled.set(name, ajv.getSchema(`${revision}#/${under}/${name}`));
      const validate = compiled.get(name);
      return validate(value) ? null : ajv.errorsText(validate.errors, { dataVar: name });
    });
    byRevision.get(revision).has = (name) => Boolean(schema[under][name]);
  }
  return byRevision;
}

// kinds returns the definitions that a message must match. A client's message must only
// match the general one.
function kinds(message, from, revision, check, asked) {
  const either = (...names) => names.find((name) => check.has(name));
  if (from === 'client') return [['JSONRPCMessage', message]];
  if (message.method) {
    if (message.id !== undefined) return [['JSONRPCRequest', message], ['ElicitRequest', message]];
    return [['JSONRPCNotification', message], ['ServerNotification', message]];
  }
  if (message.error) return [[either('JSONRPCErrorResponse', 'JSONRPCError'), message]];
  const name = message.result.resultType === 'input_required' ? 'InputRequiredResult' : results[asked];
  return [[either('JSONRPCResultResponse', 'JSONRPCResponse'), message], [name, message.result]];
}

const byRevision = validators();
const counts = new Map();
const faults = [];
for (const file of readdirSync(recordings)) {
  const client = file.split('-')[0];
  const methods = new Map(); // of the client's requests, by id
  let negotiated = null; // by initialize
  for (const text of readFileSync(join(recordings, file), 'utf8').split('\n').filter(Boolean)) {
    const { from, line } = JSON.parse(text);
    if (line.trim() === '') continue;
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      if (from === 'server') faults.push(`${file}: the server wrote what is not JSON: ${line.slice(0, 200)}`);
      continue; // a client may send it as a test
    }
    const id = JSON.stringify(message.id);
    // Where a client's id cannot be read, JSON-RPC wants null, which no schema of
    // this protocol has; one that is no integer comes back as it was.
    if (client === 'abuse' && from === 'server' && message.id !== undefined && typeof message.id !== 'string' && !Number.isInteger(message.id)) message.id = 0;
    const isRequest = from === 'client' && message.method && message.id !== undefined;
    if (isRequest) methods.set(id, { method: message.method, revision: message.params?._meta?.[metaVersion] });
    const answered = from === 'server' && !message.method ? methods.get(id) : undefined;
    if (answered?.method === 'initialize' && message.result) negotiated = message.result.protocolVersion;
    const revision = answered?.revision ?? (isRequest ? methods.get(id).revision : undefined) ?? message.params?._meta?.[metaVersion] ?? negotiated ?? '2026-07-28';
    // The answer to an unknown version has the newest one.
    const check = byRevision.get(revision) ?? (revision === '2024-11-05' ? undefined : byRevision.get('2026-07-28'));
    counts.set(`${client} ${revision}`, (counts.get(`${client} ${revision}`) ?? 0) + 1);
    if (!check) continue; // a revision whose schema the package does not have
    if (from === 'client' && client === 'abuse') continue; // which sends invalid messages
    for (const [name, value] of kinds(message, from, revision, check, answered?.method)) {
      const wrong = name ? check(name, value) : `the answer to ${answered?.method ?? 'nothing'} has no definition`;
      if (wrong) faults.push(`${file}: ${from}, ${revision}: ${wrong}: ${line.slice(0, 300)}`);
    }
  }
}
for (const [session, n] of [...counts].sort()) console.log(`${String(n).padStart(6)} messages  ${session}`);
for (const session of [
  'conformance 2025-11-25', 'conformance 2026-07-28', 'go 2025-06-18', 'go 2025-11-25', 'go 2026-07-28', 'inspector 2025-11-25', 'inspector 2026-07-28',
  'abuse 2025-06-18', 'typescript 2025-11-25', 'typescript 2026-07-28',
]) {
  if (!counts.has(session)) faults.push(`nothing was recorded of ${session}`);
}
for (const fault of faults.slice(0, 20)) console.error(fault);
if (faults.length > 0 || counts.size === 0) {
  console.error(`${faults.length} invalid messages`);
  process.exit(1);
}
console.log('every message is valid');
