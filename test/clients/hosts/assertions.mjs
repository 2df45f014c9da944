// What the wire says about a host.
import { existsSync, readFileSync } from 'node:fs';

// readWire is what record-stdio.mjs wrote: the host's messages and the server's.
export function readWire(log) {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').map(line => JSON.parse(line)) : [];
  const from = who => lines.filter(each => each.from === who).map(each => JSON.parse(each.line));
  return { host: from('host'), server: from('server') };
}

export function factsOf(wire, model) {
  const opening = wire.host.find(message => ['initialize', 'server/discover'].includes(message.method));
  const { protocolVersion, capabilities } = spoken(opening, wire.server);
  const asked = method => wire.host.some(message => message.method === method);
  return {
    speaks: `${protocolVersion}, \`${opening.method}\``,
    sees: [...new Set([...model.seen[0].matchAll(/seen_as\\*":\s*\\*"(text|structured)/g)].map(match => match[1]))].join(' and '),
    instructions: yes(model.instructed),
    prompts: yes(asked('prompts/list')),
    resources: yes(asked('resources/list')),
    // An empty object has meant forms since before there was another kind.
    elicitation: capabilities.elicitation ? Object.keys(capabilities.elicitation).join(', ') || 'form' : 'no',
  };
}

// spoken is the version that both agreed on and what the client can do. Since
// 2026-07-28 each request carries them; before, the opening handshake settles them.
function spoken(opening, answers) {
  const meta = name => opening.params._meta?.[`io.modelcontextprotocol/${name}`];
  if (opening.method === 'server/discover') {
    return { protocolVersion: meta('protocolVersion'), capabilities: meta('clientCapabilities') };
  }
  const { protocolVersion } = answers.find(answer => answer.id === opening.id).result;
  return { protocolVersion, capabilities: opening.params.capabilities };
}

const yes = fact => (fact ? 'yes' : 'no');
