// The int8 scan over probed clusters (goals G1 and G2 of a GPU): rows x 128, equal clusters.
import { ops } from 'silverlode';
import { bits, constant, int8s, int32s, normals, sample } from './data.js';
import { type KernelCase, kernelCase } from './kernel.js';

const DIM = 128;
const K = 100;

interface ScanSize {
  clusters: number;
  clusterRows: number;
  batch: number;
  probes: number;
  passRate: number;
}

function scanCase({ clusters, clusterRows, batch, probes, passRate }: ScanSize): KernelCase {
  const rows = clusters * clusterRows;
  const lists = Array.from({ length: batch }, () => sample(clusters, probes));
  const union = new Set(lists.flat()).size * clusterRows * passRate;
  return kernelCase({
    name: `ivf_scan rows ${rows} dim ${DIM} batch ${batch} probes ${probes}/${clusters} pass ${passRate} k ${K}`,
    op: 'ivf_scan',
    bytes: union * (DIM + 4),
    operations: batch * probes * clusterRows * passRate * 2 * DIM,
    bound: 'bandwidth',
    inputs: () => ({
      queries: int8s([batch, 1, DIM]),
      scales: constant([batch, 1], 0.01),
      rows: int8s([rows, DIM]),
      rowScales: normals([rows]),
      ordinals: int32s([rows], (row) => row),
      clusterBegin: int32s([clusters + 1], (cluster) => cluster * clusterRows),
      live: bits([rows / 64], passRate),
      clusters: int32s([batch, 1, clusters], (i) => lists[Math.floor(i / clusters)]?.[i % clusters] ?? 0),
      counts: int32s([batch, 1], () => probes),
      mask: bits([batch, rows / 64], passRate),
      maskOf: int32s([batch], () => -1),
      limits: int32s([batch], () => K),
    }),
    record: ({ queries, scales, limits, ...index }) => {
      const { scores, ordinals } = ops.ivfScan({ quantized: queries, scales }, index, index as never, { k: K, limits });
      return { scores, ordinals };
    },
  });
}

/** @param scale 1 on a GPU: 20 million rows. */
export function scanCases(scale: number): KernelCase[] {
  const clusters = Math.max(64, Math.round(4096 * scale));
  const clusterRows = Math.max(256, 64 * Math.round(76 * Math.min(1, scale * 16)));
  const probes = Math.max(4, clusters / 16);
  const size = { clusters, clusterRows, probes };
  return [
    ...[1, 4, 16, 64, 256].map((batch) => scanCase({ ...size, batch, passRate: 1 })),
    ...[0.3, 0.1, 0.02].map((passRate) => scanCase({ ...size, batch: 16, passRate })),
  ];
}
