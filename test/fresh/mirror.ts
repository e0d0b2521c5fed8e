// A catalogue that changes, as plain data: what every answer of an updated model is compared with.
import type { PublishOptions, Update } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import type { AttributeValue } from '../reference/filter.js';
import { type ReferenceCatalogue, type ReferenceRequest, ReferenceRetrieval } from '../reference/retrieval.js';

export const DIMS = 9;
export const FEATURES = ['price', 'age'] as const;

/** Fields of the catalogue; `season` is unknown when it is published. */
export const FIELDS = [
  { name: 'language', type: 'string', multi: false, pool: ['en', 'de', 'fr', '東京', ''] },
  {
    name: 'tags',
    type: 'string',
    multi: true,
    pool: ['pop', 'rock', 'jazz', ...Array.from({ length: 60 }, (_, i) => `t${i}`)],
  },
  { name: 'flag', type: 'boolean', multi: false, pool: [true, false] },
  { name: 'year', type: 'int64', multi: false, pool: [1990n, 2000n, -5n, 2n ** 40n] },
  { name: 'codes', type: 'int64', multi: true, pool: [1n, 2n, 3n, 9007199254740993n] },
  { name: 'rating', type: 'float64', multi: false, pool: [0.5, 1.25, -3.75, 1e300] },
  { name: 'season', type: 'string', multi: false, pool: ['spring', 'autumn'] },
] as const;

export interface MirrorItem {
  embedding: Float32Array;
  /** By field, in the order of `FIELDS`. */
  attributes: AttributeValue[][];
  features: Float32Array;
  bias: number;
}

export interface MirrorOptions {
  metric: 'ip' | 'cosine' | 'l2';
  biased: boolean;
  features: boolean;
}

/** Items by id; the order of the map is the publish order. */
export class Mirror {
  readonly items = new Map<number, MirrorItem>();

  constructor(readonly options: MirrorOptions) {}

  /** Applies an update that is known to be valid, in the plainest way. */
  apply(update: Update): void {
    const ids = update.ids as number[];
    if (update.type === 'delete') {
      for (const id of ids) this.items.delete(id);
      return;
    }
    ids.forEach((id, i) => {
      const before = this.items.get(id);
      if (update.type === 'updateFeatures') {
        const features = (update.features as { data: Float32Array }).data;
        (before as MirrorItem).features = features.slice(2 * i, 2 * i + 2);
        return;
      }
      this.items.delete(id);
      const columns = update.attributes ?? {};
      const attributes = FIELDS.map(({ name }, f) => {
        const given = columns[name] as readonly unknown[] | undefined;
        if (given === undefined) return update.type === 'upsert' ? [] : ((before as MirrorItem).attributes[f] ?? []);
        return [given[i] ?? []].flat() as AttributeValue[];
      });
      if (update.type === 'updateAttributes') {
        this.items.set(id, { ...(before as MirrorItem), attributes });
        return;
      }
      this.items.set(id, {
        embedding: (update.embeddings as { data: Float32Array }).data.slice(i * DIMS, (i + 1) * DIMS),
        attributes,
        features: update.features?.data.slice(2 * i, 2 * i + 2) ?? new Float32Array(0),
        bias: update.bias?.[i] ?? 0,
      });
    });
  }

  get ids(): number[] {
    return [...this.items.keys()];
  }

  /** Brute force over the items as they are; results are their places in `ids`. */
  reference(): ReferenceRetrieval {
    const items = [...this.items.values()];
    const catalogue: ReferenceCatalogue = {
      items: items.length,
      dims: DIMS,
      data: Float32Array.from(items.flatMap(({ embedding }) => [...embedding])),
      metric: this.options.metric,
      bias: this.options.biased ? Float32Array.from(items, ({ bias }) => bias) : undefined,
      attributes: FIELDS.map(({ name, type, multi }, f) => ({
        name,
        type,
        multi,
        values: items.map(({ attributes }) => attributes[f] ?? []),
      })),
    };
    return new ReferenceRetrieval(catalogue);
  }

  /** The items as `publish` takes them. */
  published(): PublishOptions['items'] {
    const { ids, embeddings, attributes, features } = this.#update(this.ids, [...this.items.values()]);
    return { ids, embeddings, attributes, features: features && { ...features, names: [...FEATURES] } };
  }

  /** Valid updates of every kind, of few or many items. */
  randomUpdate(random: Random, ids: readonly number[]): Update {
    const kind = random.pick(['upsert', 'upsert', 'delete', 'updateAttributes', 'updateFeatures'] as const);
    const pick = (pool: readonly number[]) => [
      ...new Set(Array.from({ length: 1 + random.integer(8) }, () => random.pick(pool))),
    ];
    if (kind === 'delete') return { type: 'delete', ids: pick(ids) };
    const known = this.ids;
    if (kind === 'upsert' || known.length === 0) return this.upsert(random, pick(ids));
    const own = pick(known);
    if (kind === 'updateFeatures' && this.options.features) {
      const data = Float32Array.from({ length: 2 * own.length }, () => random.normal());
      return { type: 'updateFeatures', ids: own, features: { data, shape: [own.length, 2] } };
    }
    const { attributes = {} } = this.#update(
      own,
      own.map(() => this.randomItem(random)),
    );
    const kept = Object.entries(attributes).filter(() => random.chance(0.4));
    return { type: 'updateAttributes', ids: own, attributes: Object.fromEntries(kept) };
  }

  upsert(random: Random, ids: readonly number[]): Update {
    return {
      type: 'upsert',
      ...this.#update(
        ids,
        ids.map(() => this.randomItem(random)),
      ),
    };
  }

  /** Some items share their embedding, so that ties are met. */
  randomItem(random: Random): MirrorItem {
    const others = [...this.items.values()];
    const twin = others.length > 0 && random.chance(0.1) ? random.pick(others) : undefined;
    return {
      embedding: twin?.embedding ?? Float32Array.from({ length: DIMS }, () => random.normal()),
      attributes: FIELDS.map(({ multi, pool, name }) => {
        if (random.chance(name === 'season' ? 0.6 : 0.2)) return [];
        const values = Array.from({ length: multi ? 1 + random.integer(3) : 1 }, () =>
          random.pick(pool as readonly AttributeValue[]),
        );
        return [...new Set(values)];
      }),
      features: this.options.features ? Float32Array.of(random.normal(), random.normal()) : new Float32Array(0),
      bias: this.options.biased ? Math.fround(random.normal()) : 0,
    };
  }

  #update(ids: readonly number[], items: readonly MirrorItem[]) {
    const entries = FIELDS.map(({ name, multi }, f) => {
      const column = items.map(({ attributes }) => (multi ? attributes[f] : attributes[f]?.[0]) as never);
      return [name, column] as const;
    });
    const features = Float32Array.from(items.flatMap((item) => [...item.features]));
    return {
      ids: [...ids],
      embeddings: {
        data: Float32Array.from(items.flatMap(({ embedding }) => [...embedding])),
        shape: [ids.length, DIMS] as const,
      },
      attributes: Object.fromEntries(entries),
      ...(this.options.features ? { features: { data: features, shape: [ids.length, 2] as const } } : {}),
      ...(this.options.biased ? { bias: Float32Array.from(items, ({ bias }) => bias) } : {}),
    };
  }
}

export type { ReferenceRequest };
