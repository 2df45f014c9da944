// The protocol's official JSON Schemas, by revision. They ship inside the
// conformance package, as literals of its one bundled file.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import vm from 'node:vm';

// The revisions that the package has, in the order in which it has them.
const revisions = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'];

export function officialSchemas() {
  const require = createRequire(import.meta.url);
  const bundle = readFileSync(require.resolve('@modelcontextprotocol/conformance/dist/index.js'), 'utf8');
  const found = [...bundle.matchAll(/\{\$schema:`[^`]*`,(?:\$defs|definitions):/g)]
    .map(({ index }) => vm.runInNewContext(`(${literal(bundle, index)})`));
  if (found.length !== revisions.length) throw new Error(`the conformance package has ${found.length} schemas, not ${revisions.length}`);
  const schemas = new Map(revisions.map((revision, i) => [revision, found[i]]));
  for (const [revision, schema] of schemas) {
    const text = JSON.stringify(schema);
    // What came with a revision tells whether this is its schema.
    const has = { '2025-06-18': text.includes('"ElicitRequest"'), '2025-11-25': text.includes('"ListTasksRequest"'), '2026-07-28': text.includes('"DiscoverRequest"') };
    if (has[revision] === false) throw new Error(`the schema of ${revision} is not where it was`);
  }
  return schemas;
}

// literal cuts an object literal out of a program: up to the brace that closes
// it, not counting those inside strings.
function literal(text, start) {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const c = text[at];
    if (c === '`' || c === '"' || c === "'") {
      for (at++; text[at] !== c; at++) if (text[at] === '\\') at++;
    } else if (c === '{') depth++;
    else if (c === '}' && --depth === 0) return text.slice(start, at + 1);
  }
  throw new Error('an object literal does not end');
}
