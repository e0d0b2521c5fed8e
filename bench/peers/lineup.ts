// Who takes part, with which settings and which search efforts.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EngineCommand } from './engine_process.js';
import type { Effort } from './protocol.js';

/** An engine of the comparison. */
export interface Contestant {
  /** What `--engines` says; the part before the first dash is the library. */
  id: string;
  /** As in plots. */
  name: string;
  /** The package that must be installed; none for Silverlode. */
  needs?: 'faiss' | 'scann' | 'svs' | 'usearch' | 'hnswlib-node' | '@zvec/zvec';
  /** Has a call for many queries at once. */
  batches: boolean;
  /**
   * Shown, but no rival: `given` is handed the eligible items beforehand and so evaluates no filter; `twin` is the first engine once
   * more, for what differs without a cause.
   */
  aside?: 'given' | 'twin';
  /** Uses all threads for a batch. */
  threads: boolean;
  /** Search efforts under a filter (empty: none), each list by rising effort; all of them make one curve. */
  sweeps(filter: string): readonly (readonly Effort[])[];
  command(): EngineCommand;
}

/** Where what is installed and built for the comparison lies. */
export interface Places {
  /** With `node_modules` of the peers. */
  packages: string;
  python: string;
}

const range = (name: string, values: readonly number[]): Effort[] => values.map((value) => ({ [name]: value }));
const grid = (names: readonly [string, string], first: readonly number[], second: readonly number[]): Effort[][] =>
  second.map((b) => first.map((a) => ({ [names[0]]: a, [names[1]]: b })));

const NPROBE = [8, 16, 32, 64, 128, 256, 512, 1024];
const EF = [100, 150, 200, 300, 400, 600, 800];
const EF_FILTERED = [100, 200, 400, 800, 1600, 3200, 6400];

/** How many times k must be asked for, so that about k of the found are eligible, times a reserve. */
const FETCHED: Readonly<Record<string, readonly number[]>> = {
  p50: [200, 300, 400, 800],
  p10: [1000, 2000, 4000, 6000],
  c10: [1000, 2000, 4000, 6000],
  p1: [10_000, 20_000],
  c1: [10_000, 20_000],
};

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

function nodeEngine(adapter: string, config: object): EngineCommand {
  return {
    file: process.execPath,
    args: ['--expose-gc', '--max-old-space-size=8192', script('engine.js'), adapter, JSON.stringify(config)],
  };
}

function pythonEngine(library: string, python: string, config: object): EngineCommand {
  return { file: python, args: [join('bench', 'peers', 'engine.py'), library, JSON.stringify(config)] };
}

function faiss(id: string, factory: string, python: string, sweeps: (filter: string) => Effort[][]): Contestant {
  return {
    id: `faiss-${id}`,
    name: `FAISS ${factory}`,
    needs: 'faiss',
    batches: true,
    threads: true,
    sweeps,
    command: () => pythonEngine('faiss', python, { factory }),
  };
}

/** As its guide has it: about a leaf for the root of the items, a tenth of them searched; leaves and candidates to reorder are swept. */
function scann(reorder: 'float32' | 'int8', leaves: number, python: string): Contestant {
  const searched = [10, 20, 40, 80, 120, 160, 240, 320, 480, 640].filter((count) => count <= leaves);
  return {
    id: `scann-${reorder}`,
    name: `ScaNN, reordered by ${reorder}`,
    needs: 'scann',
    batches: true,
    threads: true,
    sweeps: (filter) => (filter === '' ? grid(['leaves', 'reordered'], searched, [2, 4, 8]) : []), // it has no filters
    command: () => pythonEngine('scann', python, { leaves, reorder }),
  };
}

function usearch(quantization: 'f32' | 'i8', packages: string): Contestant {
  return {
    id: `usearch-${quantization}`,
    name: `usearch ${quantization}`,
    needs: 'usearch',
    batches: true,
    threads: true,
    sweeps: (filter) =>
      filter === '' ? [range('expansion', EF)] : [range('fetched', FETCHED[filter] ?? []), [{ exact: 1 }]],
    command: () => nodeEngine('usearch', { packages, quantization }),
  };
}

/** Lists of an inverted file for so many items, as FAISS's guide to indexes and the literature have it: 1 024 for 200 000. */
export function listsFor(items: number): number {
  if (items >= 500_000) return 4096;
  return items >= 100_000 ? 1024 : 256;
}

/** Leaves of ScaNN's tree: its guide asks for the root of the items; finer trees did better on word vectors. */
function leavesFor(items: number): number {
  return 2 * Math.round(Math.sqrt(items));
}

/** Silverlode first, then its peers. */
export function lineup(items: number, dims: number, { packages, python }: Places): Contestant[] {
  const lists = listsFor(items);
  const probes = NPROBE.filter((probe) => probe <= lists);
  const ivf = () => [range('nprobe', probes)];
  const hnsw = (filter: string) => [range('efSearch', filter === '' ? EF : EF_FILTERED)];
  const silverlode: Contestant = {
    id: 'silverlode',
    name: 'silverlode',
    batches: true,
    threads: true,
    sweeps: () => [
      range('probes', [4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768]),
      range('recall', [0.8, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.99]),
    ],
    command: () => nodeEngine('silverlode', {}),
  };
  return [
    silverlode,
    { ...silverlode, id: 'silverlode-again', name: 'silverlode again', aside: 'twin' },
    faiss('ivf-sq8', `IVF${lists},SQ8`, python, ivf),
    faiss('ivf-pq', `IVF${lists},PQ${dims / 2}x4fsr,Refine(SQ8)`, python, () =>
      grid(['nprobe', 'k_factor'], probes, [2, 4, 10]),
    ),
    faiss('hnsw', 'HNSW16', python, hnsw),
    faiss('hnsw-sq8', 'HNSW16_SQ8', python, hnsw),
    faiss('flat', 'Flat', python, (filter) => (filter === '' ? [[{}]] : [[{ list: 0 }], [{ list: 1 }]])),
    {
      ...faiss('given', 'Flat', python, (filter) => (filter === '' ? [] : [[{ list: 2 }]])),
      name: 'FAISS Flat, list of the eligible given',
      aside: 'given',
    },
    ...(['float32', 'int8'] as const).map((reorder) => scann(reorder, leavesFor(items), python)),
    {
      id: 'svs',
      name: 'SVS Vamana float16',
      needs: 'svs',
      batches: true,
      threads: true,
      sweeps: (filter) => (filter === '' ? [range('window', EF)] : []),
      command: () => pythonEngine('svs', python, {}),
    },
    usearch('f32', packages),
    usearch('i8', packages),
    {
      id: 'hnswlib',
      name: 'hnswlib-node',
      needs: 'hnswlib-node',
      batches: false,
      threads: false,
      sweeps: () => [range('ef', [50, ...EF])],
      command: () => nodeEngine('hnswlib', { packages }),
    },
    {
      id: 'zvec',
      name: '@zvec/zvec HNSW int8',
      needs: '@zvec/zvec',
      batches: false,
      threads: true,
      sweeps: () => [range('ef', [50, ...EF])],
      command: () => nodeEngine('zvec', { packages }),
    },
  ];
}

/** Those that `--engines` names: an id, or the library of several; Silverlode always takes part. */
export function chosen(all: readonly Contestant[], wanted: readonly string[]): Contestant[] {
  const matches = (id: string, want: string) => id === want || id.startsWith(`${want}-`);
  const unknown = wanted.filter((want) => !all.some(({ id }) => matches(id, want)));
  if (unknown.length > 0)
    throw new Error(`no engine ${unknown.join(', ')}; there are: ${all.map(({ id }) => id).join(', ')}`);
  return all.filter(({ id }) => wanted.length === 0 || id === 'silverlode' || wanted.some((want) => matches(id, want)));
}
