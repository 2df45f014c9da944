// A scripted fake model. It calls the tool once if it is offered, then answers with the
// balance in the tool's result.
import { createServer } from 'node:http';
import { modelAPIs } from './model-apis.mjs';

// The first words of the server's instructions.
const instruction = 'Wesendall sends SMS in Uganda from one prepaid wallet';

// startModel listens on a free port of loopback. seen has each tool result that the host
// passed on; instructed says whether the host passed on the server's instructions.
export async function startModel(tool) {
  const model = { seen: [], instructed: false };
  const server = createServer(async (req, res) => {
    let raw = '';
    for await (const piece of req) raw += piece;
    const api = Object.values(modelAPIs).find(each => req.method === 'POST' && each.path.test(req.url));
    if (!api) {
      res.writeHead(404, { 'content-type': 'application/json' });
      return res.end('{"error":{"message":"the fake model does not know this path"}}');
    }
    const body = JSON.parse(raw);
    model.instructed ||= raw.includes(instruction);
    api.reply(res, body, nextTurn(model, tool, api, body), req.url);
  });
  await new Promise(listening => server.listen(0, '127.0.0.1', listening));
  model.url = `http://127.0.0.1:${server.address().port}`;
  model.close = () => server.close();
  return model;
}

function nextTurn(model, tool, api, body) {
  const result = api.results(body).at(-1);
  if (result !== undefined) {
    model.seen.push(result);
    return { text: `The balance is ${balanceIn(result)}.` };
  }
  // Hosts add their own prefix to a tool's name.
  const call = api.tools(body).find(offered => offered.name.endsWith(tool)) || api.lookup?.(body, tool);
  // A host also requests titles and summaries, without any tool.
  return call ? { call } : { text: 'ok' };
}

// balanceIn returns the balance in a result, which the host may have changed to JSON, JSON
// within a string, or text.
function balanceIn(result) {
  return result.match(/balance\\*"\s*:\s*(\d+)/)?.[1] ?? 'not in the result';
}
