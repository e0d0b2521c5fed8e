// The suite 'boundary': what it costs to cross between JavaScript and native code.
import fs from 'node:fs';
import { promisify } from 'node:util';
import { compile, Module, nn, ops, publish, type RetrievalModel, type SymbolicTensor, tensor } from 'silverlode';
import { standardCatalogue } from '../data/standard_set.js';
import { alternate, type BenchOptions, type BenchResult, measure, type Suite, timed } from '../support/suite.js';

const DIMS = 128;
/** A call from JavaScript that does nothing else should cost less, in microseconds. */
const WANTED = 15;
/** What is asked: as little work as there can be, so that noise of the work does not hide the crossing. */
const ASKED = 'k 10, 1 probe';

class OneLayer extends Module {
  readonly layer = new nn.Linear(DIMS, DIMS);

  forward({ x }: { x: SymbolicTensor }): SymbolicTensor {
    return nn.call('layer', this.layer, x);
  }
}

async function smallModel(): Promise<{ model: RetrievalModel; query: Float32Array }> {
  const { ids, embeddings, queries } = standardCatalogue({ items: 20_000, dims: DIMS, clusters: 200, queries: 1 });
  const model = await publish({ items: { ids, embeddings }, index: { clusters: 256, probes: 1 } });
  return { model, query: queries.data.slice(0, DIMS) };
}

/** A system call on a thread of Node's pool: two hand-overs between threads, as any call that leaves the event loop free. */
const access = promisify(fs.access);

/** All ways of asking beside the stages of the same request, in turns. */
async function* beside(model: RetrievalModel, query: Float32Array, options: BenchOptions): AsyncGenerator<BenchResult> {
  const request = { k: 10, probes: 1 };
  const measured = await alternate(
    {
      retrieve: timed(() => model.retrieve({ ...request, embedding: query })),
      retrieveSync: timed(async () => model.retrieveSync({ ...request, embedding: query })),
      retrieveBatch: timed(() => model.retrieveBatch({ ...request, embeddings: query, count: 1 })),
      native: async () => {
        const stages = await model.profile({ ...request, embedding: query });
        return stages.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
      },
      otherThread: timed(() => access('/')),
    },
    options,
  );
  for (const side of ['retrieve', 'retrieveSync', 'retrieveBatch'] as const) {
    const { medianMs: whole, spreadMs, samples } = measured[side];
    const over = 1000 * (whole - measured.native.medianMs);
    yield {
      name: `${side} minus native time, ${ASKED}`,
      medianMs: over / 1000,
      spreadMs: Math.hypot(spreadMs, measured.native.spreadMs),
      samples,
      figures: {
        'over us': over,
        'whole us': 1000 * whole,
        'native us': 1000 * measured.native.medianMs,
        'fs.access us': 1000 * measured.otherThread.medianMs,
      },
      goal: side === 'retrieve' ? goal(over) : undefined,
    };
  }
}

const goal = (over: number): BenchResult['goal'] => ({
  id: 'C10',
  against: `at most ${WANTED} us beside native time, one request`,
  ratio: WANTED / Math.max(over, 0.1), // which noise could make less than nothing
  wanted: 1,
});

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
    'tensor, its first view() and dispose': async () => {
      const made = tensor(values, { shape: [1, DIMS] });
      made.view();
      made.dispose();
    },
    'view() again': async () => row.view(),
  };
}

const suite: Suite = {
  note:
    'Whole calls awaited one after another. "native us" is the sum of the stages that profile measures of the same request, in turns with the ' +
    'whole calls; "fs.access us" is what Node\'s own trip to another thread and back takes then. ' +
    'retrieve and retrieveBatch get new typed arrays from the run (runToArrays), program.run fills tensors.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    if (`retrieve retrieveSync retrieveBatch minus native time, ${ASKED}`.includes(options.filter)) {
      const { model, query } = await smallModel();
      yield* beside(model, query, options);
      await model.close();
    }
    for (const [name, work] of Object.entries(await crossings())) {
      if (!name.includes(options.filter)) continue;
      const times = await measure(work, options);
      yield { name, ...times, figures: { us: 1000 * times.medianMs } };
    }
  },
};

export default suite;
