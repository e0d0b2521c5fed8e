// hnswlib-node: HNSW over float32, one query a call on the calling thread, a filter as a callback.
import { join } from 'node:path';
import type { LoadedSet } from '../../data/set_files.js';
import type { BuildCommand, RunCommand } from '../protocol.js';
import type { Adapter, Search } from './adapter.js';
import { type PackageConfig, requirePeer, rowsOf } from './package.js';

interface HierarchicalIndex {
  initIndex(options: { maxElements: number; m: number; efConstruction: number; randomSeed: number }): void;
  addPoint(point: number[], label: number): void;
  setEf(ef: number): void;
  searchKnn(query: number[], k: number, filter?: (label: number) => boolean): { neighbors: number[] };
  readIndexSync(path: string): void;
  writeIndexSync(path: string): void;
}

interface Hnswlib {
  HierarchicalNSW: new (space: 'ip', dims: number) => HierarchicalIndex;
}

const FILE = 'index.hnswlib';
const M = 16;
const EF_CONSTRUCTION = 200;

export class HnswlibAdapter implements Adapter {
  readonly #library: Hnswlib;
  readonly #version: string;
  #set!: LoadedSet;
  #index!: HierarchicalIndex;
  #queries: number[][] = [];

  constructor(config: PackageConfig) {
    const { exports, version } = requirePeer<Hnswlib>(config, 'hnswlib-node');
    this.#library = exports;
    this.#version = version;
  }

  about(): string {
    return `hnswlib-node ${this.#version}, float32, m ${M}, efConstruction ${EF_CONSTRUCTION}; builds and searches on one thread`;
  }

  async build({ items, dims, rows }: LoadedSet, { folder }: BuildCommand): Promise<void> {
    const index = new this.#library.HierarchicalNSW('ip', dims);
    index.initIndex({ maxElements: items, m: M, efConstruction: EF_CONSTRUCTION, randomSeed: 1 });
    rowsOf(rows, dims).forEach((row, item) => {
      index.addPoint(Array.from(row), item);
    });
    index.writeIndexSync(join(folder, FILE));
  }

  async load(set: LoadedSet, { folder }: BuildCommand): Promise<void> {
    this.#set = set;
    this.#index = new this.#library.HierarchicalNSW('ip', set.dims);
    this.#index.readIndexSync(join(folder, FILE));
    this.#queries = rowsOf(set.queries, set.dims).map((row) => Array.from(row)); // it takes no typed arrays
    this.#index.searchKnn(this.#queries[0] as number[], 10);
  }

  async search({ filter, effort, k }: RunCommand): Promise<Search<number[][]>> {
    const mask = filter === '' ? undefined : await this.#set.mask(filter);
    const passes = mask && ((label: number) => mask[label] === 1);
    this.#index.setEf(effort.ef as number);
    const one = (query: number): number[] =>
      this.#index.searchKnn(this.#queries[query % this.#queries.length] as number[], k, passes).neighbors;
    return {
      ask: (first, count) => Array.from({ length: count }, (_, query) => one(first + query)),
      ids: (lists) => lists,
    };
  }
}
