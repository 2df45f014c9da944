// A stand-in for a model. Its whole mind: call the tool once if it is offered,
// then say the balance that the tool's result showed.
import { createServer } from 'node:http';
import { dialects } from './model-apis.mjs';

// How the server's instructions begin.
const instruction = 'Wesendall sends SMS in Uganda from one prepaid wallet';

// startModel listens on a free port of loopback. seen has each result that a host
// brought back; instructed says whether the server's instructions came along.
export async function startModel(tool) {
  const model = { seen: [], instructed: false };
  const server = createServer(async (req, res) => {
    let raw = '';
    for await (const piece of req) raw += piece;
    const dialect = Object.values(dialects).find(each => req.method === 'POST' && each.path.test(req.url));
    if (!dialect) {
      res.writeHead(404, { 'content-type': 'application/json' });
      return res.end('{"error":{"message":"the stand-in does not know this path"}}');
    }
    const body = JSON.parse(raw);
    model.instructed ||= raw.includes(instruction);
    dialect.reply(res, body, nextTurn(model, tool, dialect, body), req.url);
  });
  await new Promise(listening => server.listen(0, '127.0.0.1', listening));
  model.url = `http://127.0.0.1:${server.address().port}`;
  model.close = () => server.close();
  return model;
}

function nextTurn(model, tool, dialect, body) {
  const result = dialect.results(body).at(-1);
  if (result !== undefined) {
    model.seen.push(result);
    return { text: `The balance is ${balanceIn(result)}.` };
  }
  // Hosts put their own prefix before a tool's name.
  const call = dialect.tools(body).find(offered => offered.name.endsWith(tool)) || dialect.lookup?.(body, tool);
  // A host also asks for titles and summaries, without offering any tool.
  return call ? { call } : { text: 'ok' };
}

// balanceIn reads the number out of whatever the host made of the result: JSON,
// JSON within a string, or text.
function balanceIn(result) {
  return result.match(/balance\\*"\s*:\s*(\d+)/)?.[1] ?? 'not in the result';
}
