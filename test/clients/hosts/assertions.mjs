// What the recorded messages say about a host.
import { existsSync, readFileSync } from 'node:fs';

// readRecording returns the messages of the host and of the server from a recording.
export function readRecording(log) {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').map(line => JSON.parse(line)) : [];
  const from = side => lines.filter(each => each.from === side).map(each => JSON.parse(each.line));
  return { host: from('host'), server: from('server') };
}

// describeHost returns what the documents' table says about a host.
export function describeHost(recording, model) {
  const opening = recording.host.find(message => ['initialize', 'server/discover'].includes(message.method));
  const { protocolVersion, capabilities } = negotiated(opening, recording.server);
  const requested = method => recording.host.some(message => message.method === method);
  return {
    speaks: `${protocolVersion}, \`${opening.method}\``,
    sees: [...new Set([...model.seen[0].matchAll(/seen_as\\*":\s*\\*"(text|structured)/g)].map(match => match[1]))].join(' and '),
    instructions: yes(model.instructed),
    prompts: yes(requested('prompts/list')),
    resources: yes(requested('resources/list')),
    // An empty object means forms, the only kind that older clients know.
    elicitation: capabilities.elicitation ? Object.keys(capabilities.elicitation).join(', ') || 'form' : 'no',
  };
}

// negotiated returns the protocol version and the client's capabilities. In the stateless
// protocol each request has them; in the session protocol, the initialize request.
function negotiated(opening, answers) {
  const meta = name => opening.params._meta?.[`io.modelcontextprotocol/${name}`];
  if (opening.method === 'server/discover') {
    return { protocolVersion: meta('protocolVersion'), capabilities: meta('clientCapabilities') };
  }
  const { protocolVersion } = answers.find(answer => answer.id === opening.id).result;
  return { protocolVersion, capabilities: opening.params.capabilities };
}

const yes = value => (value ? 'yes' : 'no');
