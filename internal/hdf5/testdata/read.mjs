// Prints what h5wasm and jsfive read from a file: reader -> path -> {shape, values, attrs}, values as texts.
//
//     node read.mjs FOLDER_OF_NODE_MODULES FILE
import fs from 'fs';
const [, , modules, path] = process.argv;
const h5wasm = await import(modules + '/h5wasm/dist/node/hdf5_hl.js');
const jsfive = await import(modules + '/jsfive/dist/esm/index.mjs');
await h5wasm.ready;

const text = (x) => (Object.is(x, -0) ? '-0' : String(x).replace(/\0+$/, '')); // jsfive leaves the zeros that fill up a string
const list = (x) => (x === null ? [] : typeof x === 'object' ? Array.from(x, text) : [text(x)]);

function describe(group, keys, attrs, out = {}, at = '') {
  for (const key of keys(group)) {
    const o = group.get(key);
    const entry = { attrs: Object.fromEntries(Object.entries(attrs(o)).map(([k, v]) => [k, list(v)])) };
    out[at + key] = entry;
    if (o.shape !== undefined) {
      entry.shape = o.shape;
      entry.values = entry.shape.includes(0) ? [] : list(o.value);
    } else {
      describe(o, keys, attrs, out, at + key + '/');
    }
  }
  return out;
}

const values = (o) => Object.fromEntries(Object.entries(o.attrs).map(([k, a]) => [k, a.value]));
const b = fs.readFileSync(path);
console.log(JSON.stringify({
  h5wasm: describe(new h5wasm.File(path, 'r'), (g) => g.keys(), values),
  jsfive: describe(new jsfive.File(b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength)), (g) => g.keys, (o) => o.attrs),
}));
