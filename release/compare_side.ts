// One side of compare_builds.ts: does what its parent asks, on one thread.
import { devices, setDefaultDevice, type Tensor } from 'silverlode';
import * as scan from '../test/cases/ivf_scan.js';
import * as linear from '../test/cases/linear.js';
import type { OpCase } from '../test/cases/op_case.js';
import * as topK from '../test/cases/top_k.js';

interface Bench {
  readonly name: string;
  readonly prepare: () => () => Promise<object>;
}

const MEASURED_MS = 40;

function benchesOf<Input>(
  op: string,
  { cases, run }: { cases: readonly OpCase<Input>[]; run: (input: Input) => Promise<object> },
): Bench[] {
  return cases
    .filter(({ bench }) => bench)
    .map((each) => ({
      name: `${op} ${each.name}`,
      prepare: () => {
        const input = each.input();
        return () => run(input);
      },
    }));
}

const benches = [...benchesOf('ivf_scan', scan), ...benchesOf('linear', linear), ...benchesOf('top_k', topK)];

async function once(run: () => Promise<object>): Promise<void> {
  for (const output of Object.values(await run()) as Tensor[]) output.dispose?.();
}

/** Milliseconds of processor time per call, of all threads. */
async function measure(run: () => Promise<object>): Promise<number> {
  const before = process.cpuUsage();
  const until = performance.now() + MEASURED_MS;
  let calls = 0;
  do {
    await once(run);
    calls++;
  } while (performance.now() < until);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / calls;
}

let current: (() => Promise<object>) | undefined;
let supported = true;
try {
  setDefaultDevice({ device: 'cpu', threads: 1, simd: process.argv[2] as string });
  devices();
} catch {
  supported = false; // a level that this processor or build lacks
}

process.on('message', async (question: { list?: string; prepare?: string }) => {
  if (question.list !== undefined) {
    const { list } = question;
    return process.send?.(supported ? benches.map(({ name }) => name).filter((name) => name.includes(list)) : []);
  }
  if (question.prepare !== undefined) {
    current = benches.find(({ name }) => name === question.prepare)?.prepare();
    for (let i = 0; i < 3; i++) await once(current as () => Promise<object>);
    return process.send?.(0);
  }
  return process.send?.(await measure(current as () => Promise<object>));
});
process.send?.('ready');
