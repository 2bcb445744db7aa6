// Runs models in ONNX Runtime. Standard input is a list of {model, runs: [{input name: {dims, data}}]}; standard output is one of
// {names, runs: [{output name: {dims, data}}]}, or {error}. ESPALIER_ONNXRUNTIME is the folder of the module onnxruntime-node.
const ort = require(process.env.ESPALIER_ONNXRUNTIME);
const fs = require('fs');

async function run(job) {
  const session = await ort.InferenceSession.create(job.model, {logSeverityLevel: 3});
  const runs = [];
  for (const feeds of job.runs) {
    for (const name in feeds) {
      feeds[name] = new ort.Tensor('float32', Float32Array.from(feeds[name].data), feeds[name].dims);
    }
    const out = await session.run(feeds);
    const values = {};
    for (const name of session.outputNames) {
      values[name] = {dims: out[name].dims, data: Array.from(out[name].data)};
    }
    runs.push(values);
  }
  return {inputs: session.inputNames, outputs: session.outputNames, runs};
}

(async () => {
  const results = [];
  for (const job of JSON.parse(fs.readFileSync(0))) {
    try {
      results.push(await run(job));
    } catch (e) {
      results.push({error: String(e)});
    }
  }
  process.stdout.write(JSON.stringify(results));
})();
