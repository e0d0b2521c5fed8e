// The suite 'rerank': a network over 100 000 pairs, as matrix products and folded (goal C7).
import { availableParallelism } from 'node:os';
import type { Tensor } from 'silverlode';
import { ArrayFolder } from '../parts/files.js';
import { PartPeer, partHost } from '../parts/part_peers.js';
import type { FixedCall } from '../parts/recorded.js';
import {
  fastest,
  ownSide,
  resultOf,
  type Side,
  scheduleOf,
  type Taken,
  takeTurns,
  threadCounts,
} from '../parts/turns.js';
import type { BenchOptions, BenchResult, Goal, Suite } from '../support/suite.js';
import {
  foldedCall,
  makeRerankData,
  plainCall,
  plainOperations,
  type RerankData,
  relativeError,
  SIZES,
  squareCall,
} from './network.js';

const PEERS = { PyTorch: 'torch', 'numpy (OpenBLAS)': 'numpy' } as const;
/** Pairs that a peer takes at once: all, or as many as stay in its caches. */
const CHUNKS = [Number.MAX_SAFE_INTEGER, 4096];
const TOLERANCE = { float32: 1e-4, bfloat16: 0.1 };

type Work = 'plain' | 'concat' | 'bfloat16' | 'square';

/** What ours is held against, and how many times as fast it should be. */
const RIVALS: Readonly<Record<string, { work: Work; wanted: number }>> = {
  'silverlode, plain': { work: 'plain', wanted: 1 },
  'silverlode, folded': { work: 'concat', wanted: 2 },
};

async function startPeers(data: RerankData, threads: number, again: boolean): Promise<PartPeer[]> {
  const host = await partHost('rerank', again);
  await using folder = await ArrayFolder.make();
  const { user, items, index, weights, biases, square, candidates } = data;
  const files: Record<string, ArrayBufferView> = { 'user.f32': user, 'items.f32': items, 'index.i32': index };
  files['square.f32'] = square;
  weights.forEach((weight, layer) => {
    files[`weight${layer}.f32`] = weight;
    files[`bias${layer}.f32`] = biases[layer] as Float32Array;
  });
  for (const [name, values] of Object.entries(files)) await folder.write(name, values);
  const prepare = { folder: folder.path, sizes: SIZES, candidates };
  const peers: PartPeer[] = [];
  for (const [name, side] of Object.entries(PEERS))
    peers.push(await PartPeer.start(host, name, side, threads, prepare));
  return peers;
}

/** A peer's work in the chunks in which it is fastest; what it computes is checked on the way. */
async function peerSide(peer: PartPeer, what: Work, candidates: number, reference: ArrayLike<number>): Promise<Side> {
  const name = `${peer.name}, ${what}`;
  const sides = CHUNKS.map((chunk) => peer.side({ what, chunk: Math.min(chunk, candidates) }, name));
  const taken: { side: Side; seconds: number }[] = [];
  for (const side of what === 'square' ? sides.slice(0, 1) : sides) {
    await side.run(1);
    taken.push({ side, seconds: (await side.run(1)).wallSeconds });
    const error = relativeError(peer.result, Array.from(reference).slice(0, peer.result.length)).worst;
    if (what !== 'square' && error > (what === 'bfloat16' ? TOLERANCE.bfloat16 : TOLERANCE.float32))
      throw new Error(`${name}: logits differ by ${error} of their root mean square`);
  }
  return taken.sort((a, b) => a.seconds - b.seconds)[0]?.side as Side;
}

async function logitsOf(call: FixedCall<string>): Promise<Float32Array> {
  const { logits } = (await call.outputs()) as Record<'logits', Tensor>;
  const values = (logits.view() as Float32Array).slice();
  logits.dispose();
  return values;
}

/** Ours, by the name of the side. */
async function ownCalls(data: RerankData, threads: number): Promise<Map<string, FixedCall<string>>> {
  const calls = {
    'silverlode, plain': await plainCall(data, 'float32', threads),
    'silverlode, folded': await foldedCall(data, 'float32', threads),
    'silverlode, plain, bfloat16 weights': await plainCall(data, 'bfloat16', threads),
    'silverlode, folded, bfloat16 weights': await foldedCall(data, 'bfloat16', threads),
    'silverlode, square': await squareCall(data, threads),
  };
  return new Map(Object.entries(calls) as [string, FixedCall<string>][]);
}

interface Measured {
  taken: ReadonlyMap<string, Taken>;
  /** Of our logits against those of the plain network in float32. */
  errors: ReadonlyMap<string, { worst: number; rms: number }>;
}

async function measureAll(
  data: RerankData,
  peers: readonly PartPeer[],
  threads: number,
  options: BenchOptions,
): Promise<Measured> {
  const calls = await ownCalls(data, threads);
  const reference = await logitsOf(calls.get('silverlode, plain') as FixedCall<string>);
  const errors = new Map<string, { worst: number; rms: number }>();
  for (const [name, call] of calls)
    if (!name.endsWith('square')) errors.set(name, relativeError(await logitsOf(call), reference));
  const folded = errors.get('silverlode, folded')?.worst as number;
  if (folded > TOLERANCE.float32) throw new Error(`the folded network differs by ${folded}`);
  const sides = [...calls].map(([name, call]) => ownSide(name, () => call.run()));
  for (const peer of peers) {
    const works: Work[] =
      peer.name === 'PyTorch' ? ['plain', 'concat', 'bfloat16', 'square'] : ['plain', 'concat', 'square'];
    for (const what of works) sides.push(await peerSide(peer, what, data.candidates, reference));
  }
  const taken = await takeTurns(sides, scheduleOf(options), options.signal);
  for (const call of calls.values()) call.dispose();
  return { taken, errors };
}

/** Ours beside the fastest peer at its work. */
function goalOf(name: string, taken: ReadonlyMap<string, Taken>, title: string): Goal | undefined {
  const rival = RIVALS[name];
  const best =
    rival &&
    fastest(
      taken,
      Object.keys(PEERS).map((peer) => `${peer}, ${rival.work}`),
    );
  if (rival === undefined || best === undefined) return undefined;
  const ratio = best.ms / (taken.get(name) as Taken).medianMs;
  return { id: 'C7', against: `${best.name}, ${title}`, ratio, wanted: rival.wanted };
}

const suite: Suite = {
  note:
    '192 → 256 → 128 → 4 with relu over pairs [user, item, user * item] of 64 dimensions, one user. plain: pairs lie ready, three matrix products with bias and activation. ' +
    'concat (peers): items are gathered by number, pairs concatenated, then plain. folded: over_arch on the same items and numbers. Whole calls. Gflop/s count the plain network, ' +
    'also for folded, which computes less. Share: of the fastest square float32 product of the run, ours or a peer’s. Peers (--peers) take all pairs at once or 4 096 at a time, whichever was faster; ' +
    'their logits are checked. bfloat16: weights only here, weights and activations in PyTorch; error against float32 as a share of the root mean square.',
  async *run(options: BenchOptions): AsyncGenerator<BenchResult> {
    const sizes = options.items ? [options.items] : options.quick ? [1000, 5000] : [1000, 10_000, 100_000];
    for (const candidates of sizes)
      for (const threads of threadCounts(options.threads, availableParallelism())) {
        const title = `${candidates} candidates, ${threads} thread${threads > 1 ? 's' : ''}`;
        if (title.includes(options.filter)) yield* compare(candidates, threads, title, options);
      }
  },
};

async function* compare(
  candidates: number,
  threads: number,
  title: string,
  options: BenchOptions,
): AsyncGenerator<BenchResult> {
  const data = makeRerankData(candidates, options.quick ? 512 : 2048);
  const peers = options.peers ? await startPeers(data, threads, options.install === true) : [];
  try {
    const { taken, errors } = await measureAll(data, peers, threads, options);
    const square = 2 * data.square.length ** 1.5;
    const operationsOf = (name: string) => (name.endsWith('square') ? square : plainOperations(candidates));
    const gflops = (name: string) => operationsOf(name) / (taken.get(name) as Taken).medianMs / 1e6;
    const ceiling = Math.max(...[...taken.keys()].filter((name) => name.endsWith('square')).map(gflops));
    for (const [name, each] of taken) {
      const error = errors.get(name);
      const figures = {
        ...(name.endsWith('square') ? {} : { candidates }),
        ...{ 'Gflop/s': gflops(name), 'of square': gflops(name) / ceiling },
        ...(error && name.includes('bfloat16') ? { 'worst error': error.worst, 'rms error': error.rms } : {}),
      };
      const goal = goalOf(name, taken, title);
      const series = `${name}, threads ${threads}`;
      yield resultOf(`rerank ${title}, ${name}`, each, figures, {
        ...(name.endsWith('square')
          ? {}
          : { plot: { title: 'Reranker over candidates', series, x: 'candidates', y: 'ms' } }),
        ...(goal && { goal }),
      });
    }
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
  }
}

export default suite;
