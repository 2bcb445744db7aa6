// Writes a file with h5wasm: node make.mjs FOLDER_OF_NODE_MODULES FILE
const [, , modules, path] = process.argv;
const h5wasm = await import(modules + '/h5wasm/dist/node/hdf5_hl.js');
await h5wasm.ready;

const numbers = Float32Array.from({ length: 70 }, (_, i) => i / 7);
const f = new h5wasm.File(path, 'w', { track_order: true });
f.create_attribute('model_config', '{"é": 1}');
f.create_attribute('layer_names', ['dense', 'dense_1']);
f.create_attribute('numbers', [1.5, 2.5], null, '<f');
const g = f.create_group('dense', true);
g.create_dataset({ name: 'kernel', data: numbers, shape: [7, 10], dtype: '<f' });
g.create_dataset({ name: 'chunked', data: numbers, shape: [7, 10], dtype: '<f', chunks: [3, 4], compression: 4 });
g.create_dataset({
  name: 'grows', data: Int32Array.from({ length: 70 }, (_, i) => i), shape: [7, 10], dtype: '<i', maxshape: [null, 10], chunks: [3, 4],
  compression: 4,
});
g.create_dataset({ name: 'text', data: ['a', 'bb', 'é'], shape: [3] });
g.create_dataset({ name: 'double', data: new Float64Array([0.1, 1, 2]), dtype: '<d' });
g.create_dataset({ name: 'bias', data: new BigInt64Array([1n, -2n]), dtype: '<q' });
f.create_group('empty');
f.close();
