// TensorFlow.js, as child.go asks for it: the loss as a function of variables, minimized by its Adam, on the backend in
// WebAssembly with one thread ("wasm") and on that in JavaScript ("cpu").
const fs = require("fs");
const path = require("path");
const readline = require("readline");
const tf = require("@tensorflow/tfjs");
const wasm = require("@tensorflow/tfjs-backend-wasm");

class Training {
  constructor(way, spec) {
    this.way = way;
    this.spec = spec;
    const file = fs.readFileSync(spec.file);
    const data = new Float32Array(file.buffer, file.byteOffset, file.length / 4);
    let at = 0;
    const next = (...shape) => {
      const size = shape.reduce((a, b) => a * b, 1);
      at += size;
      return tf.tensor(data.slice(at - size, at), shape);
    };
    this.layers = spec.layers.map((l) => ({ w: tf.variable(next(l.in, l.out)), b: tf.variable(next(l.out)), act: l.act }));
    this.inputs = spec.inputs.map((features) => next(spec.batch, features));
    this.heads = spec.outputs.map((v) => spec.layers[spec.steps[v - spec.inputs.length].layer]);
    this.targets = Array.from({ length: spec.batches }, () =>
      this.heads.map((l) => {
        const t = next(spec.batch);
        // It has no loss of sparse labels.
        return l.act === "softmax" ? tf.oneHot(t.toInt(), l.out).toFloat() : t.reshape([spec.batch, 1]);
      }),
    );
    this.adam = tf.train.adam(1e-3, 0.9, 0.999, 1e-7);
    this.losses = new Array(spec.losses).fill(0);
    this.done = 0;
  }

  forward() {
    const values = this.inputs.slice();
    for (const { layer, on } of this.spec.steps) {
      if (layer < 0) {
        values.push(tf.concat(on.map((v) => values[v]), 1));
        continue;
      }
      const { w, b, act } = this.layers[layer];
      values.push(tf.fused.matMul({ a: values[on[0]], b: w, bias: b, activation: act === "relu" ? "relu" : "linear" }));
    }
    return this.spec.outputs.map((v) => values[v]);
  }

  loss(targets) {
    const parts = this.forward().map((y, i) => {
      switch (this.heads[i].act) {
        case "softmax":
          return tf.losses.softmaxCrossEntropy(targets[i], y);
        case "sigmoid":
          return tf.losses.sigmoidCrossEntropy(targets[i], y);
        default:
          return tf.losses.meanSquaredError(targets[i], y);
      }
    });
    return parts.length === 1 ? parts[0] : tf.addN(parts);
  }

  step() {
    const targets = this.targets[this.done % this.targets.length];
    const cost = this.adam.minimize(() => this.loss(targets), true);
    this.losses[this.done++ % this.losses.length] = cost.dataSync()[0];
    cost.dispose();
  }

  run(steps) {
    tf.setBackend(this.way);
    const ns = new Array(steps);
    let last = process.hrtime.bigint();
    for (let i = 0; i < steps; i++) {
      this.step();
      const now = process.hrtime.bigint();
      ns[i] = Number(now - last);
      last = now;
    }
    return ns;
  }
}

const ways = {};

async function answer(question) {
  if (question.run) return { ns: ways[question.way].run(question.run) };
  if (question.fetch) return { losses: ways[question.way].losses };
  if (!question.prepare) return { version: tf.version_core };
  for (const way of ["wasm", "cpu"]) {
    await tf.setBackend(way);
    ways[way] = new Training(way, question.prepare);
  }
  global.gc();
  return { ways: Object.keys(ways) };
}

async function main() {
  wasm.setWasmPaths(path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm")) + path.sep);
  wasm.setThreadsCount(1);
  tf.enableProdMode();
  for (const way of ["wasm", "cpu"]) await tf.setBackend(way); // now, so that run need not wait for it
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let a;
    try {
      a = await answer(JSON.parse(line));
    } catch (error) {
      a = { error: String(error.stack) };
    }
    process.stdout.write(JSON.stringify(a) + "\n");
  }
}

main();
