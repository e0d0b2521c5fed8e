// What a program computes for a row depends on nothing but the row: not on its batch, threads, SIMD level or bucket.
import { describe, expect, test } from 'vitest';
import { openDevice } from '../../lib/native/device.js';
import { Linear, Mlp, OverArch, ValueModel } from '../../lib/nn/index.js';
import { call, Module } from '../../lib/nn/module.js';
import { add, concat, gelu, l2Normalize, layerNorm, multiply, reshape, sigmoid, silu } from '../../lib/ops/index.js';
import { compile, trace } from '../../lib/program/compile.js';
import { ProgramRunner } from '../../lib/program/runner.js';
import type { SymbolicTensor } from '../../lib/program/trace.js';
import { type Tensor, tensor } from '../../lib/tensor/tensor.js';
import { expectClose } from '../support/close.js';
import { testDevice } from '../support/device.js';
import { simdLevels } from '../support/ops.js';
import { bits, randomFloats, randomTensor } from './modules.js';

const WIDTH = 19;
const CANDIDATES = 21;
const ITEMS = 50;

/** A reranking model out of every float op: no size is a multiple of a vector. */
class Reranking extends Module {
  readonly tower = new Mlp([WIDTH, 37, 2 * 11], { activation: 'tanh' });
  readonly gate = new Linear(WIDTH, 22, { activation: 'sigmoid' });
  readonly rerank = new OverArch({ dims: 11, heads: 2, features: 3, hidden: [29, 13], tasks: ['click', 'like'] });
  readonly value = new ValueModel('sigmoid(click) + log1p(exp(like)) * age + 0.1 * score', {
    tasks: ['click', 'like'],
    columns: ['age'],
  });
  readonly embeddings = randomTensor([ITEMS, 11], 1);
  readonly features = randomTensor([ITEMS, 3], 2);
  readonly columns = randomTensor([ITEMS, 1], 3);

  forward({ x, scores, ids }: Record<'x' | 'scores' | 'ids', SymbolicTensor>) {
    const gated = multiply(call('tower', this.tower, layerNorm(x)), call('gate', this.gate, silu(x)));
    const user = l2Normalize(reshape(add(gated, gelu(gated)), ['batch', 2, 11]));
    const candidates = {
      embeddings: this.embeddings,
      embeddingIndex: ids,
      features: this.features,
      featureIndex: ids,
    };
    const logits = call('rerank', this.rerank, user, candidates);
    const values = call('value', this.value, { logits, scores, ordinals: ids, columns: this.columns });
    return { user, logits, values, both: concat([sigmoid(values), scores]) };
  }
}

const inputs = {
  x: { dtype: 'float32', shape: ['batch', WIDTH] },
  scores: { dtype: 'float32', shape: ['batch', CANDIDATES] },
  ids: { dtype: 'int32', shape: ['batch', CANDIDATES] },
} as const;

const BATCH = 67;
const x = randomFloats(BATCH * WIDTH, 7);
const scores = randomFloats(BATCH * CANDIDATES, 8);
const ids = Int32Array.from({ length: BATCH * CANDIDATES }, (_, i) => ((i * 31) % (ITEMS + 1)) - 1);
const model = new Reranking();

/** The request's rows `from` to `to` of every input. */
function rows(from: number, to: number) {
  return {
    x: x.subarray(from * WIDTH, to * WIDTH),
    scores: scores.subarray(from * CANDIDATES, to * CANDIDATES),
    ids: ids.subarray(from * CANDIDATES, to * CANDIDATES),
  };
}

function bitsPerRow(outputs: Awaited<ReturnType<Awaited<ReturnType<typeof compileModel>>['run']>>) {
  return Object.entries(outputs).flatMap(([name, output]) => {
    const all = bits(output);
    const batch = output.shape[0] as number;
    return Array.from({ length: batch }, (_, row) => ({
      row,
      name,
      bits: all.subarray((row * all.length) / batch, ((row + 1) * all.length) / batch),
    }));
  });
}

function compileModel(options: { threads?: number; simd?: string } = {}) {
  return compile(model, { inputs, maxBatch: 100, ...options });
}

async function alone() {
  const program = await compileModel({ threads: 1, simd: 'serial' });
  const results = [];
  for (let row = 0; row < BATCH; row++) {
    results.push(...bitsPerRow(await program.run(rows(row, row + 1))).map((each) => ({ ...each, row })));
  }
  program.dispose();
  return new Map(results.map(({ row, name, bits }) => [`${name} of row ${row}`, bits]));
}

describe('row i of a batch equals the run of row i alone, bit for bit', async () => {
  const expected = await alone();
  for (const simd of simdLevels) {
    for (const threads of [1, 3]) {
      test(`${simd}, ${threads} threads`, async () => {
        const program = await compileModel({ simd, threads });
        for (const [from, to] of [
          [0, BATCH],
          [0, 1],
          [5, 7],
          [20, 23],
          [30, 46],
          [1, 65],
          [3, 36],
        ] as const) {
          for (const { row, name, bits } of bitsPerRow(await program.run(rows(from, to)))) {
            expect(bits, `${name}, rows ${from} to ${to}`).toEqual(expected.get(`${name} of row ${from + row}`));
          }
        }
        program.dispose();
      });
    }
  }
});

test('the outputs mean something', async () => {
  const program = await compileModel();
  const { user, logits, values } = await program.run(rows(0, 4));
  expect(Math.hypot(...(user as Tensor<'float32'>).view().subarray(0, 11))).toBeCloseTo(1, 6);
  for (let i = 0; i < 4 * CANDIDATES; i++) {
    expect(values.view()[i] === Number.NEGATIVE_INFINITY).toBe(ids[i] === -1);
    if (ids[i] === -1) expect([...logits.view().subarray(2 * i, 2 * i + 2)]).toEqual([0, 0]);
  }
  program.dispose();
});

test('a program that was kept as JSON computes the same bits', async () => {
  const { spec, constants, names } = trace(model, inputs);
  const kept = JSON.parse(JSON.stringify(spec));
  const program = await compileModel();
  expect(program.spec).toEqual(kept);
  const runner = new ProgramRunner(openDevice({ threads: 2 }), kept, constants);
  const given = rows(0, 9);
  const { outputs, times } = await runner.run([given.x, given.scores, given.ids], [9]);
  const expected = await program.run(given);
  expect(times).toBeUndefined();
  expect(outputs.map(bits)).toEqual(names?.map((name) => bits(expected[name as keyof typeof expected])));
  runner.dispose();
  program.dispose();
});

test('weights stored in half precision compute what their widened values do', async () => {
  for (const dtype of ['float16', 'bfloat16'] as const) {
    const [half, full] = [new Linear(7, 5), new Linear(7, 5)];
    const weights = [...(full.weight as Tensor<'float32'>).view()];
    half.loadStateDict(new Map([['weight', tensor(weights, { dtype, shape: [5, 7] })]]), { strict: false });
    expect(half.weight.dtype).toBe(dtype);
    const widened = Float32Array.from(half.weight.view() as Uint16Array, (pattern) => widen(pattern, dtype));
    full.loadStateDict(new Map([['weight', tensor(widened, { shape: [5, 7] })]]), { strict: false });
    const given = { x: randomFloats(7 * 9, 4) };
    const run = async (layer: Linear) => {
      const wrapped = new (class extends Module {
        readonly layer = layer;
        forward({ x }: { x: SymbolicTensor }) {
          return this.layer.forward(x);
        }
      })();
      const program = await compile(wrapped, { inputs: { x: { dtype: 'float32', shape: ['batch', 7] } } });
      return (await program.run(given)).view() as Float32Array;
    };
    // A GPU also rounds what meets such weights.
    expectClose(await run(half), await run(full), testDevice === 'cpu' ? {} : { absolute: 2e-2, relative: 2e-2 });
  }
});

function widen(pattern: number, dtype: 'float16' | 'bfloat16'): number {
  if (dtype === 'bfloat16') return new Float32Array(Uint32Array.of(pattern << 16).buffer)[0] as number;
  const [exponent, mantissa] = [(pattern >> 10) & 31, pattern & 1023];
  const magnitude = exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15);
  return pattern & 0x8000 ? -magnitude : magnitude;
}
