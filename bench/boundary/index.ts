// The suite 'boundary': what it costs to cross between JavaScript and native code.
import { compile, Module, nn, ops, publish, type RetrievalModel, type SymbolicTensor, tensor } from 'silverlode';
import { makeCatalogue } from '../../lib/data/synthetic.js';
import { type BenchOptions, type BenchResult, measure, type Suite } from '../support/suite.js';

const DIMS = 128;
/** A call from JavaScript that does nothing else should cost less, in microseconds. */
const WANTED = 15;
const ROUNDS = 9;

class OneLayer extends Module {
  readonly layer = new nn.Linear(DIMS, DIMS);

  forward({ x }: { x: SymbolicTensor }): SymbolicTensor {
    return nn.call('layer', this.layer, x);
  }
}

async function smallModel(): Promise<{ model: RetrievalModel; query: Float32Array }> {
  const { ids, embeddings, queries } = makeCatalogue({ items: 20_000, dims: DIMS, queries: 1, users: 1, seed: 1 });
  const model = await publish({ items: { ids, embeddings }, index: { clusters: 256, probes: 1 } });
  return { model, query: queries.data.slice(0, DIMS) };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

/** Whole calls and native time in turns, so that both meet the same neighbours. */
async function retrieveMinusNative(): Promise<BenchResult> {
  const { model, query } = await smallModel();
  const request = { embedding: query, k: 10, probes: 1 };
  const whole: number[] = [];
  const native: number[] = [];
  let samples = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const measured = await measure(() => model.retrieve(request), { quick: true });
    const profiles = await Promise.all(Array.from({ length: 16 }, () => model.profile(request)));
    whole.push(measured.medianMs);
    native.push(median(profiles.map((stages) => stages.reduce((sum, { milliseconds }) => sum + milliseconds, 0))));
    samples += measured.samples;
  }
  await model.close();
  const over = 1000 * (median(whole) - median(native));
  return {
    name: 'retrieve minus native time, k 10, 1 probe',
    medianMs: over / 1000,
    samples,
    figures: { 'over us': over, 'whole us': 1000 * median(whole), 'native us': 1000 * median(native) },
    goal: {
      id: 'C10',
      against: `at most ${WANTED} us beside native time, one request`,
      ratio: WANTED / over,
      wanted: 1,
    },
  };
}

/** The other ways across, each with as little work behind it as there can be. */
async function crossings(): Promise<Record<string, () => Promise<unknown>>> {
  const values = new Float32Array(DIMS).fill(1);
  const program = await compile(new OneLayer(), { inputs: { x: { dtype: 'float32', shape: ['batch', DIMS] } } });
  const row = tensor(values, { shape: [1, DIMS] });
  return {
    'program.run, 1 x 128 linear, typed array in': async () => (await program.run({ x: values })).dispose(),
    'program.run, 1 x 128 linear, tensor in': async () => (await program.run({ x: row })).dispose(),
    'eager op, relu of 1 x 128': async () => (await ops.relu(row)).dispose(),
    'tensor from a typed array of 128 and dispose': async () => tensor(values, { shape: [1, DIMS] }).dispose(),
    'view of a tensor': async () => row.view(),
  };
}

const suite: Suite = {
  note: 'Whole calls awaited one after another. "native us" is the sum of the stages that profile measures of the same request.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const first = 'retrieve minus native time, k 10, 1 probe';
    if (first.includes(options.filter)) yield await retrieveMinusNative();
    for (const [name, work] of Object.entries(await crossings())) {
      if (!name.includes(options.filter)) continue;
      const times = await measure(work, options);
      yield { name, ...times, figures: { us: 1000 * times.medianMs } };
    }
  },
};

export default suite;
