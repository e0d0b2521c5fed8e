// @zvec/zvec: HNSW over int8 with an inverted index per attribute, one query a call; a batch on all threads is as many calls
// at once through its asynchronous API.
import { join } from 'node:path';
import type { LoadedSet } from '../../data/set_files.js';
import type { BuildCommand, RunCommand } from '../protocol.js';
import type { Adapter, Search } from './adapter.js';
import { type PackageConfig, requirePeer } from './package.js';

interface Doc {
  id: string;
}

interface Collection {
  insertSync(docs: object[]): unknown;
  optimizeSync(): void;
  closeSync(): void;
  querySync(query: object): Doc[];
  query(query: object): Promise<Doc[]>;
}

interface Zvec {
  ZVecInitialize(options: object): void;
  ZVecCollectionSchema: new (schema: object) => object;
  ZVecCreateAndOpen(path: string, schema: object): Collection;
  ZVecOpen(path: string, options?: object): Collection;
  ZVecDataType: Readonly<Record<string, number>>;
  ZVecIndexType: Readonly<Record<string, number>>;
  ZVecMetricType: Readonly<Record<string, number>>;
  ZVecQuantizeType: Readonly<Record<string, number>>;
  ZVecLogLevel: Readonly<Record<string, number>>;
}

const M = 16;
const EF_CONSTRUCTION = 200;
const DOCS_PER_INSERT = 1000;

export class ZvecAdapter implements Adapter {
  readonly #zvec: Zvec;
  readonly #version: string;
  #set!: LoadedSet;
  #collection!: Collection;

  constructor(config: PackageConfig) {
    const { exports, version } = requirePeer<Zvec>(config, '@zvec/zvec');
    this.#zvec = exports;
    this.#version = version;
    exports.ZVecInitialize({ logLevel: exports.ZVecLogLevel.ERROR });
  }

  about(): string {
    return `@zvec/zvec ${this.#version}, HNSW int8, m ${M}, efConstruction ${EF_CONSTRUCTION}, an inverted index per attribute`;
  }

  async build(set: LoadedSet, { folder }: BuildCommand): Promise<void> {
    const { ZVecDataType, ZVecIndexType, ZVecMetricType, ZVecQuantizeType } = this.#zvec;
    const { items, dims, rows, files } = set;
    const schema = new this.#zvec.ZVecCollectionSchema({
      name: 'items',
      vectors: {
        name: 'embedding',
        dataType: ZVecDataType.VECTOR_FP32,
        dimension: dims,
        indexParams: {
          indexType: ZVecIndexType.HNSW,
          metricType: ZVecMetricType.IP,
          quantizeType: ZVecQuantizeType.INT8,
          m: M,
          efConstruction: EF_CONSTRUCTION,
        },
      },
      fields: files.filters.map((name) => ({
        name,
        dataType: ZVecDataType.BOOL,
        indexParams: { indexType: ZVecIndexType.INVERT },
      })),
    });
    const masks = await Promise.all(files.filters.map(async (name) => [name, await set.mask(name)] as const));
    const doc = (item: number) => ({
      id: String(item),
      vectors: { embedding: rows.subarray(item * dims, (item + 1) * dims) },
      fields: Object.fromEntries(masks.map(([name, mask]) => [name, mask[item] === 1])),
    });
    const collection = this.#zvec.ZVecCreateAndOpen(join(folder, 'items'), schema);
    for (let first = 0; first < items; first += DOCS_PER_INSERT) {
      const count = Math.min(DOCS_PER_INSERT, items - first);
      collection.insertSync(Array.from({ length: count }, (_, place) => doc(first + place)));
    }
    collection.optimizeSync();
    collection.closeSync();
  }

  async load(set: LoadedSet, { folder }: BuildCommand): Promise<void> {
    this.#set = set;
    this.#collection = this.#zvec.ZVecOpen(join(folder, 'items'), { readOnly: true, enableMMAP: true });
    this.#collection.querySync({ fieldName: 'embedding', vector: set.query(0), topk: 10, outputFields: [] });
  }

  async search({ filter, effort, k, threads }: RunCommand): Promise<Search<Doc[][]>> {
    const query = (index: number) => ({
      fieldName: 'embedding',
      vector: this.#set.query(index),
      topk: k,
      outputFields: [],
      ...(filter === '' ? {} : { filter: `${filter} = true` }),
      params: { indexType: this.#zvec.ZVecIndexType.HNSW, ef: effort.ef },
    });
    const collection = this.#collection;
    const places = (count: number) => Array.from({ length: count }, (_, place) => place);
    return {
      ask: (first, count) =>
        threads === 1
          ? places(count).map((place) => collection.querySync(query(first + place)))
          : Promise.all(places(count).map((place) => collection.query(query(first + place)))),
      ids: (lists) => lists.map((docs) => docs.map(({ id }) => Number(id))),
    };
  }
}
