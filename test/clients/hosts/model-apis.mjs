// The four model APIs that hosts use, as far as one scripted conversation needs them:
// which tools were offered, what a call returned, and how a turn of the model is
// written. A turn is {text} or {call: {name, input}}.

// The calls have fixed ids, which tell their results apart.
const id = 'call_1';
const lookupId = 'lookup_1';

// Hosts take messages with the same id for parts of one message.
let replies = 0;

// asText returns a tool's result as the model reads it, without its wrapping.
function asText(content) {
  if (typeof content === 'string') return content;
  if (Array.isArray(content)) return content.map(part => part.text ?? JSON.stringify(part)).join('\n');
  return JSON.stringify(content);
}

// events answers with server-sent events. Named ones have their type twice, as in both
// APIs with typed events.
function events(res, list, { named = false, end = '' } = {}) {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of list) {
    res.write((named ? `event: ${event.type}\n` : '') + `data: ${JSON.stringify(event)}\n\n`);
  }
  res.end(end);
}

function json(res, body) {
  res.writeHead(200, { 'content-type': 'application/json' });
  res.end(JSON.stringify(body));
}

const anthropic = {
  path: /^\/v1\/messages(\?|$)/,
  tools: body => (body.tools ?? []).map(tool => ({ name: tool.name })),
  results: body => body.messages.flatMap(message => Array.isArray(message.content) ? message.content : [])
    .filter(block => block.type === 'tool_result' && block.tool_use_id === id).map(block => asText(block.content)),
  // Claude Code gives only the names of a server's tools. The model must look one up
  // before it calls it.
  lookup(body, tool) {
    const text = JSON.stringify(body.messages);
    const name = text.match(new RegExp(`mcp__\\w+__${tool}\\b`))?.[0];
    return name && !text.includes(lookupId) && { id: lookupId, name: 'ToolSearch', input: { query: `select:${name}` } };
  },
  reply(res, body, turn) {
    const input = turn.call?.input ?? {};
    const message = {
      id: `msg_${++replies}`, type: 'message', role: 'assistant', model: body.model,
      stop_reason: turn.call ? 'tool_use' : 'end_turn', stop_sequence: null,
      usage: { input_tokens: 1, output_tokens: 1 },
      content: [turn.call
        ? { type: 'tool_use', id: turn.call.id ?? id, name: turn.call.name, input }
        : { type: 'text', text: turn.text }],
    };
    if (!body.stream) return json(res, message);
    events(res, [
      { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
      { type: 'content_block_start', index: 0, content_block: turn.call ? { ...message.content[0], input: {} } : { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: turn.call
        ? { type: 'input_json_delta', partial_json: JSON.stringify(input) }
        : { type: 'text_delta', text: turn.text } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: message.stop_reason, stop_sequence: null }, usage: { output_tokens: 1 } },
      { type: 'message_stop' },
    ], { named: true });
  },
};

const responses = {
  path: /^\/v1\/responses(\?|$)/,
  // A server's tools may come as a namespace with the tools in it.
  tools: body => (body.tools ?? []).flatMap(tool => tool.type === 'namespace'
    ? tool.tools.map(inner => ({ name: inner.name, namespace: tool.name }))
    : [{ name: tool.name ?? '' }]),
  results: body => (Array.isArray(body.input) ? body.input : [])
    .filter(item => item.type === 'function_call_output').map(item => asText(item.output)),
  reply(res, body, turn) {
    const item = turn.call
      ? { type: 'function_call', id: `fc_${++replies}`, call_id: id, ...turn.call, arguments: '{}', status: 'completed' }
      : { type: 'message', id: `msg_${++replies}`, role: 'assistant', status: 'completed',
        content: [{ type: 'output_text', text: turn.text, annotations: [] }] };
    const response = { id: `resp_${++replies}`, object: 'response', model: body.model, status: 'completed', output: [item],
      usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 } };
    if (!body.stream) return json(res, response);
    events(res, [
      { type: 'response.created', response: { ...response, status: 'in_progress', output: [] } },
      { type: 'response.output_item.added', output_index: 0, item },
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response },
    ], { named: true });
  },
};

const completions = {
  path: /^\/v1\/chat\/completions(\?|$)/,
  tools: body => (body.tools ?? []).map(tool => ({ name: tool.function.name })),
  results: body => body.messages.filter(message => message.role === 'tool').map(message => asText(message.content)),
  reply(res, body, turn) {
    const message = { role: 'assistant', content: turn.text ?? null };
    if (turn.call) message.tool_calls = [{ index: 0, id, type: 'function', function: { name: turn.call.name, arguments: '{}' } }];
    const finish = turn.call ? 'tool_calls' : 'stop';
    const common = { id: `chatcmpl_${++replies}`, created: 1, model: body.model };
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
    if (!body.stream) {
      return json(res, { ...common, object: 'chat.completion', usage, choices: [{ index: 0, message, finish_reason: finish }] });
    }
    const chunk = { ...common, object: 'chat.completion.chunk' };
    events(res, [
      { ...chunk, choices: [{ index: 0, delta: message, finish_reason: null }] },
      { ...chunk, choices: [{ index: 0, delta: {}, finish_reason: finish }], usage },
    ], { end: 'data: [DONE]\n\n' });
  },
};

const gemini = {
  path: /^\/v1beta\/models\/[^/]+:(streamG|g)enerateContent/,
  tools: body => (body.tools ?? []).flatMap(tool => tool.functionDeclarations ?? []).map(tool => ({ name: tool.name })),
  results: body => body.contents.flatMap(content => content.parts ?? [])
    .filter(part => part.functionResponse).map(part => asText(part.functionResponse.response)),
  reply(res, body, turn, url) {
    const part = turn.call ? { functionCall: { id, name: turn.call.name, args: {} } } : { text: turn.text };
    const answer = {
      candidates: [{ index: 0, content: { role: 'model', parts: [part] }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
    };
    if (!url.includes(':stream')) return json(res, answer);
    events(res, [answer]);
  },
};

export const modelAPIs = { anthropic, responses, completions, gemini };
