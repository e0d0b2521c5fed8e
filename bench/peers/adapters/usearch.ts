// usearch: HNSW. Its JavaScript API has no filter: more is asked for and what is not eligible is dropped, or the eligible
// rows are gathered and searched exactly, as its documentation recommends for small sets.
import { join } from 'node:path';
import type { Index, MetricKind, ScalarKind } from 'usearch';
import { type LoadedSet, readSet } from '../../data/set_files.js';
import type { BuildCommand, Effort, OpenCommand, RunCommand } from '../protocol.js';
import type { Adapter, Search, Timed } from './adapter.js';
import { type PackageConfig, requirePeer, rowsOf } from './package.js';

interface Usearch {
  Index: new (config: object) => Index;
  MetricKind: typeof MetricKind;
  ScalarKind: typeof ScalarKind;
  exactSearch(
    rows: Float32Array,
    queries: Float32Array,
    dims: number,
    k: number,
    metric: string,
    threads: number,
  ): Found;
}

interface Found {
  keys: BigUint64Array;
  counts?: BigUint64Array;
}

interface UsearchConfig extends PackageConfig {
  quantization: 'f32' | 'i8';
}

const FILE = 'index.usearch';
const CONNECTIVITY = 16;
const EXPANSION_ADD = 128;

export class UsearchAdapter implements Adapter {
  readonly #usearch: Usearch;
  readonly #version: string;
  #set!: LoadedSet;
  #folder = '';
  /** The expansion of a search is fixed when an index is made: the last one is kept. */
  #loaded: { expansion: number; index: Index } | undefined;
  /** For exact searches. */
  #rows: Float32Array | undefined;

  constructor(private readonly config: UsearchConfig) {
    const { exports, version } = requirePeer<Usearch>(config, 'usearch');
    this.#usearch = exports;
    this.#version = version;
  }

  about(): string {
    return `usearch ${this.#version}, ${this.config.quantization}, connectivity ${CONNECTIVITY}, expansion_add ${EXPANSION_ADD}`;
  }

  #make(dimensions: number, expansion: number): Index {
    return new this.#usearch.Index({
      dimensions,
      metric: this.#usearch.MetricKind.IP,
      quantization: this.config.quantization,
      connectivity: CONNECTIVITY,
      expansion_add: EXPANSION_ADD,
      expansion_search: expansion,
      multi: false,
    });
  }

  async build({ items, dims, rows }: LoadedSet, { folder }: BuildCommand): Promise<void> {
    const index = this.#make(dims, 64);
    index.add(
      BigUint64Array.from({ length: items }, (_, item) => BigInt(item)),
      rowsOf(rows, dims),
      0,
    );
    index.save(join(folder, FILE));
  }

  async load(set: LoadedSet, { folder }: BuildCommand): Promise<void> {
    this.#set = set;
    this.#folder = folder;
    this.#index(64).search(set.query(0), 10, 1);
  }

  #index(expansion: number): Index {
    if (this.#loaded?.expansion === expansion) return this.#loaded.index;
    this.#loaded = undefined;
    globalThis.gc?.(); // the native index goes with its object
    const index = this.#make(this.#set.dims, expansion);
    index.load(join(this.#folder, FILE));
    this.#loaded = { expansion, index };
    return index;
  }

  async search(run: RunCommand): Promise<Search<unknown>> {
    const { filter, effort, k, threads } = run;
    if (filter !== '') return effort.exact === 1 ? this.#exact(run) : this.#overFetch(filter, effort, k, threads);
    const index = this.#index(effort.expansion as number);
    return { ask: (first, count) => this.#ask(index, first, count, k, threads), ids: listsOf };
  }

  #ask(index: Index, first: number, count: number, k: number, threads: number): Found {
    if (count === 1) return index.search(this.#set.query(first), k, threads);
    const queries = Array.from({ length: count }, (_, query) => this.#set.query(first + query));
    return index.search(queries, k, threads) as unknown as Found;
  }

  async #overFetch(filter: string, effort: Effort, k: number, threads: number): Promise<Search<number[][]>> {
    const mask = await this.#set.mask(filter);
    const index = this.#index(64); // asking for more widens the search by itself
    const fetched = Math.min(effort.fetched as number, this.#set.items);
    return {
      ask: (first, count) =>
        listsOf(this.#ask(index, first, count, fetched, threads)).map((list) => eligible(list, mask, k)),
      ids: (lists) => lists,
    };
  }

  async #exact({ filter, k, threads }: RunCommand): Promise<Search<{ found: Found; items: Int32Array }>> {
    const mask = await this.#set.mask(filter);
    this.#rows ??= (await readSet(this.#set.files, { rows: true })).rows;
    const all = this.#rows;
    const { dims, queries, files } = this.#set;
    return {
      ask: (first, count) => {
        const row = first % files.queries;
        const asked = queries.slice(row * dims, (row + count) * dims); // of a subarray exactSearch reads the buffer's beginning
        const { rows, items } = gather(all, mask, dims);
        const found = this.#usearch.exactSearch(rows, asked, dims, Math.min(k, items.length), 'ip', threads);
        return { found, items };
      },
      ids: ({ found, items }) => listsOf(found).map((list) => list.map((place) => items[place] as number)),
    };
  }

  open(set: LoadedSet, { folder, how, k }: OpenCommand): Timed<void> {
    return {
      work: async () => {
        const index = this.#make(set.dims, 100);
        if (how === 'view') index.view(join(folder, FILE));
        else index.load(join(folder, FILE));
        index.search(set.query(0), k, 1);
      },
      finish: async () => globalThis.gc?.(),
    };
  }
}

/** Eligible rows beside each other, and which items they are. */
function gather(all: Float32Array, mask: Uint8Array, dims: number): { rows: Float32Array; items: Int32Array } {
  let count = 0;
  for (const byte of mask) count += byte;
  const items = new Int32Array(count);
  const rows = new Float32Array(count * dims);
  let place = 0;
  for (let item = 0; item < mask.length; item++) {
    if (mask[item] !== 1) continue;
    items[place] = item;
    rows.set(all.subarray(item * dims, (item + 1) * dims), place * dims);
    place++;
  }
  return { rows, items };
}

function eligible(list: readonly number[], mask: Uint8Array, k: number): number[] {
  const found: number[] = [];
  for (const item of list) {
    if (mask[item] === 1 && found.push(item) === k) break;
  }
  return found;
}

/** One list per query; keys of a batch are padded to equal lengths. */
function listsOf({ keys, counts }: Found): number[][] {
  if (counts === undefined) return [Array.from(keys, Number)];
  const width = keys.length / counts.length;
  return Array.from(counts, (count, query) =>
    Array.from(keys.subarray(query * width, query * width + Number(count)), Number),
  );
}
