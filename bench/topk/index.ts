// The suite 'topk': the k best of many scores, sorted (goal C6).
import { availableParallelism } from 'node:os';
import { ops, type Tensor, tensor } from 'silverlode';
import { Random } from '../../lib/data/random.js';
import { ArrayFolder } from '../parts/files.js';
import { PartPeer, partHost } from '../parts/part_peers.js';
import { FixedCall } from '../parts/recorded.js';
import { fastest, ownSide, resultOf, scheduleOf, takeTurns, threadCounts } from '../parts/turns.js';
import type { BenchOptions, BenchResult, Suite } from '../support/suite.js';

const DEPTHS = [100, 1000, 10_000, 100_000];
const WANTED = 3;
const EQUAL_VALUES = 100;

/** Scores by how they lie. */
export function scoresOf(kind: string, n: number): Float32Array {
  const random = new Random(1);
  if (kind === 'many equal') return Float32Array.from({ length: n }, () => random.integer(EQUAL_VALUES));
  const normals = Float32Array.from({ length: n }, () => random.normal());
  if (kind === 'random') return normals;
  return kind === 'ascending' ? normals.sort() : normals.sort().reverse();
}

const KINDS = ['random', 'ascending', 'descending', 'many equal'];
/** The peers' sides, by the name of the result. */
const PEERS = {
  'nth_element of pairs': 'pairs',
  'nth_element of 64-bit keys': 'keys',
  'numpy argpartition': 'numpy',
} as const;
const NAMES = Object.keys(PEERS);

/** Sum and last of the best scores, as the peers tell it. */
async function found(call: FixedCall<'scores'>): Promise<number[]> {
  const { scores, ids, positions } = (await call.outputs()) as Record<string, Tensor>;
  const best = (scores as Tensor).view() as Float32Array;
  const result = [best.reduce((sum, score) => sum + score, 0), best.at(-1) as number];
  for (const output of [scores, ids, positions]) output?.dispose();
  return result;
}

function requireEqual(ours: readonly number[], peer: PartPeer, name: string): void {
  const isEqual = peer.result.every((value, i) => Math.abs(value - (ours[i] as number)) <= 1e-9 * Math.abs(value));
  if (!isEqual) throw new Error(`${name}: ${peer.name} found ${peer.result}, silverlode ${ours}`);
}

async function startPeers(inputs: ReadonlyMap<string, Float32Array>, again: boolean): Promise<PartPeer[]> {
  const host = await partHost('topk', again);
  await using folder = await ArrayFolder.make();
  for (const [kind, scores] of inputs) await folder.write(`${kind}.f32`, scores);
  const prepare = { folder: folder.path, inputs: [...inputs.keys()] };
  return await Promise.all(Object.entries(PEERS).map(([name, side]) => PartPeer.start(host, name, side, 1, prepare)));
}

const suite: Suite = {
  note:
    'Whole calls of a program with one top_k; scores and ids come back sorted, ties by id. Peers (--peers) on one thread: C++ copies the scores into ' +
    '(score, index) pairs, or 64-bit keys of both, then std::nth_element and std::sort of the first k; numpy argpartition, then argsort of the chosen. ' +
    'The best scores of all sides are compared in the run.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const n = options.items ?? (options.quick ? 100_000 : 1_000_000);
    const inputs = new Map(KINDS.map((kind) => [kind, scoresOf(kind, n)]));
    const peers = options.peers ? await startPeers(inputs, options.install === true) : [];
    try {
      for (const threads of threadCounts(options.threads, availableParallelism()))
        for (const [kind, scores] of inputs)
          for (const k of DEPTHS.filter((depth) => depth <= n)) {
            const title = `top ${k} of ${n}, ${kind}, ${threads} thread${threads > 1 ? 's' : ''}`;
            if (title.includes(options.filter))
              yield* compare(title, kind, tensor(scores) as Tensor, k, threads, peers, options);
          }
    } finally {
      await Promise.all(peers.map((peer) => peer.stop()));
    }
  },
};

async function* compare(
  title: string,
  input: string,
  scores: Tensor,
  k: number,
  threads: number,
  peers: readonly PartPeer[],
  options: BenchOptions,
): AsyncGenerator<BenchResult> {
  const record = ({ scores: given }: { scores: Parameters<typeof ops.topK>[0] }) => ({ ...ops.topK(given, { k }) });
  const call = await FixedCall.compile({ scores }, record as never, threads);
  const ours = 'silverlode';
  const sides = [ownSide(ours, () => call.run()), ...peers.map((peer) => peer.side({ input, k }))];
  const taken = await takeTurns(sides, scheduleOf(options), options.signal);
  const best = await found(call as never);
  for (const peer of peers) requireEqual(best, peer, title);
  call.dispose();
  scores.dispose();
  const best3 = fastest(taken, NAMES);
  for (const [name, each] of taken) {
    const figures = { k, 'Mscores/s': (scores.shape[0] as number) / each.medianMs / 1000 };
    const goal =
      name === ours && best3
        ? { id: 'C6', against: `${best3.name}, ${title}`, ratio: best3.ms / each.medianMs, wanted: WANTED }
        : undefined;
    const series = name === ours ? `silverlode, threads ${threads}` : name;
    yield resultOf(`${title}, ${name}`, each, figures, {
      plot: { title: `Cost over k, ${input} scores`, series, x: 'k', y: 'ms' },
      ...(goal ? { goal } : {}),
    });
  }
}

export default suite;
