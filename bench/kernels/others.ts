// Selection, filters, dense ops and clustering (goals G5, G6, G7 and G10 of a GPU), and the ceilings they are held against.
import { ops } from 'silverlode';
import { FilterOp } from '../../lib/filter/opcodes.js';
import { bfloat16Normals, bits, constant, empty, int8s, int32s, int64s, normals } from './data.js';
import { type KernelCase, kernelCase } from './kernel.js';

/** Reads and writes every element once: what the memory gives. */
export function copyCase(scale: number): KernelCase {
  const elements = Math.round(2 ** 28 * Math.max(scale, 2 ** -8));
  return kernelCase({
    name: `copy ${elements} floats`,
    op: 'elementwise',
    bytes: elements * 8,
    operations: elements,
    bound: 'bandwidth',
    inputs: () => ({ x: normals([elements]) }),
    record: ({ x }) => ({ y: ops.relu(x) }),
  });
}

/** A large product with bfloat16 weights: what the matrix units give. */
export function matrixCase(scale: number): KernelCase {
  const size = scale === 1 ? 8192 : 512;
  return kernelCase({
    name: `linear bfloat16 ${size}^3`,
    op: 'linear',
    bytes: size * size * (4 + 2 + 4),
    operations: 2 * size ** 3,
    bound: 'matrix',
    inputs: () => ({ x: normals([size, size]), weight: bfloat16Normals([size, size]) }),
    record: ({ x, weight }) => ({ y: ops.linear(x, weight) }),
  });
}

export function topKCases(scale: number): KernelCase[] {
  const one = Math.round(1e8 * scale);
  const sizes = [
    { rows: 1, n: one, k: 100 },
    { rows: 1, n: one, k: Math.min(100_000, Math.round(one / 10)) },
    { rows: scale === 1 ? 256 : 4, n: Math.round(524_288 * Math.max(scale, 1 / 32)), k: 256 },
  ];
  return sizes.map(({ rows, n, k }) =>
    kernelCase({
      name: `top_k rows ${rows} n ${n} k ${k}`,
      op: 'top_k',
      bytes: rows * n * 4,
      operations: rows * n,
      bound: 'bandwidth',
      inputs: () => ({ scores: normals([rows, n]) }),
      record: ({ scores }) => ({ ...ops.topK(scores, { k }) }),
    }),
  );
}

/** 7 conditions over 6 fields as the paper has them: four Bloom terms, two exact slices, a range; OR pairs under AND and a NOT. */
export function filterCases(scale: number): KernelCase[] {
  const rows = 512 * Math.round((40e6 * scale) / 512);
  const width = 512;
  const hashes = 4;
  const step = (op: number, arg = 0, lo = 0n, hi = 0n) => [BigInt(op), BigInt(arg), lo, hi];
  const bloom = (term: number) => step(FilterOp.bloom, term, (BigInt(0x9e3779b97f4a7c15n) * BigInt(term + 1)) >> 8n);
  const steps = [
    ...[
      bloom(1),
      bloom(2),
      step(FilterOp.or),
      bloom(3),
      step(FilterOp.and),
      step(FilterOp.slice, 0),
      step(FilterOp.and),
    ],
    ...[step(FilterOp.slice, 1), step(FilterOp.not), step(FilterOp.and), bloom(4), step(FilterOp.and)],
    ...[step(FilterOp.range32, 0, 10n, 90n), step(FilterOp.and)],
  ].flat();
  return [
    kernelCase({
      name: `filter_eval rows ${rows}, 7 conditions, one plan`,
      op: 'filter_eval',
      bytes: (rows / 8) * (4 * hashes + 2 + 1 + 2) + rows * 4,
      operations: rows * 7,
      bound: 'bandwidth',
      inputs: () => ({
        planOffsets: int32s([2], (i) => (i * steps.length) / 4),
        planSteps: int64s(steps, [steps.length / 4, 4]),
        live: bits([rows / 64], 1),
        slices: bits([2, rows / 64], 0.5),
        bloom: bits([(rows / 512) * width, 8], 0.4),
        bloomOffsets: int64s(
          Array.from({ length: rows / 512 + 1 }, (_, block) => BigInt(block * width)),
          [rows / 512 + 1],
        ),
        columns32: int32s([1, rows], (row) => row % 100),
        columns64: empty('int64', [0, rows]),
        termOffsets: int32s([rows + 1], () => 0),
        terms: empty('int32', [0]),
      }),
      record: ({ planOffsets, planSteps, live, ...index }) => {
        const plans = { offsets: planOffsets, steps: planSteps };
        return { ...ops.filterEval(plans, live, index, { hashes }) };
      },
    }),
  ];
}

/** OverArch 128 → 256 → 128 → 8 over int8 rows, bfloat16 weights. */
export function rerankCases(scale: number): KernelCase[] {
  const dim = 128;
  return [100_000, 500_000].map((full) => {
    const candidates = Math.round(full * scale);
    const items = 4 * candidates;
    return kernelCase({
      name: `over_arch candidates ${candidates} 128-256-128-8 bfloat16`,
      op: 'over_arch',
      bytes: candidates * (dim + 4 + 8 * 4),
      operations: 2 * candidates * (dim * 256 + 256 * 128 + 128 * 8), // of the folded network
      bound: 'matrix',
      inputs: () => ({
        user: normals([1, 1, dim]),
        embeddings: int8s([items, dim]),
        embeddingScales: constant([items], 0.01),
        embeddingIndex: int32s([1, candidates], (i) => (i * 7919) % items),
        weight0: bfloat16Normals([256, 3 * dim]),
        weight1: bfloat16Normals([128, 256]),
        weight2: bfloat16Normals([8, 128]),
        bias0: normals([256]),
        bias1: normals([128]),
        bias2: normals([8]),
      }),
      record: ({ weight0, weight1, weight2, bias0, bias1, bias2, ...candidate }) => {
        const layers = [
          { weight: weight0, bias: bias0 },
          { weight: weight1, bias: bias1 },
          { weight: weight2, bias: bias2 },
        ];
        return { logits: ops.overArch({ ...candidate, layers }) };
      },
    });
  });
}

/** Nearest of 16 384 centroids. */
export function assignCases(scale: number): KernelCase[] {
  const rows = Math.round(1_000_000 * scale);
  const centroids = Math.round(16_384 * Math.max(scale, 1 / 64));
  return [
    kernelCase({
      name: `assign_clusters rows ${rows} dim 128 centroids ${centroids}`,
      op: 'assign_clusters',
      bytes: (rows + centroids) * 128 * 4,
      operations: 2 * rows * centroids * 128,
      bound: 'matrix',
      inputs: () => ({ rows: normals([rows, 128]), centroids: normals([centroids, 128]) }),
      record: ({ rows: x, centroids: c }) => ({ ...ops.assignClusters(x, c) }),
    }),
  ];
}
