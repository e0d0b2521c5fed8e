// Items with six attributes and queries of seven conditions, the same for every side.
import type { FilterExpr } from 'silverlode';
import { Random, zipf } from '../../lib/data/random.js';
import type { FieldColumn } from '../../lib/index/attributes.js';

const LANGUAGES = 12;
const GENRES = 40;
const TAGS = 200;
/** Among the most used tags, so that leaving out what has one matters. */
const QUERIED_TAGS = 30;
const QUERIED_GENRES = 20;
export const TAGS_PER_ITEM = 3;
export const NO_TAG = 255;

/** Columns in item order; terms are codes. */
export interface FilterCatalogue {
  items: number;
  /** 12 languages, the first far ahead. */
  language: Uint8Array;
  /** 40 genres, likewise. */
  genre: Uint8Array;
  /** One to three different ones of 200 an item: three columns one after the other, 255 for none. */
  tags: Uint8Array;
  /** 1 for nine in ten. */
  inStock: Uint8Array;
  /** 1950 to 2025, mostly recent. */
  year: Int16Array;
  /** Cents, 100 to 20 000, mostly low. */
  price: Int32Array;
}

/** A language, one of two genres, not this tag, in stock, years from one to another, a price of at most so much. */
export interface FilterQuery {
  language: number;
  genres: [number, number];
  tag: number;
  years: [number, number];
  most: number;
}

export function makeFilterCatalogue(items: number, seed = 1): FilterCatalogue {
  const random = new Random(seed);
  const drawLanguage = zipf(random, LANGUAGES);
  const drawGenre = zipf(random, GENRES);
  const drawTag = zipf(random, TAGS);
  const tags = new Uint8Array(TAGS_PER_ITEM * items).fill(NO_TAG);
  for (let item = 0; item < items; item++) {
    const drawn = new Set(Array.from({ length: 1 + random.integer(TAGS_PER_ITEM) }, drawTag));
    let column = 0;
    for (const tag of drawn) tags[column++ * items + item] = tag;
  }
  return {
    items,
    language: new Uint8Array(items).map(drawLanguage),
    genre: new Uint8Array(items).map(drawGenre),
    tags,
    inStock: new Uint8Array(items).map(() => Number(random.chance(0.9))),
    year: new Int16Array(items).map(() => 2025 - Math.floor(76 * random.uniform() ** 2)),
    price: new Int32Array(items).map(() => 100 + Math.floor(19_901 * random.uniform() ** 3)),
  };
}

/** Different queries. */
export function makeFilterQueries(count: number, seed = 2): FilterQuery[] {
  const random = new Random(seed);
  const language = zipf(random, LANGUAGES);
  return Array.from({ length: count }, () => {
    const genre = random.integer(QUERIED_GENRES);
    const first = 1950 + random.integer(60);
    return {
      language: language(),
      genres: [genre, (genre + 1 + random.integer(QUERIED_GENRES - 1)) % QUERIED_GENRES],
      tag: random.integer(QUERIED_TAGS),
      years: [first, first + random.integer(2025 - first) + 1],
      most: 500 + random.integer(10_000),
    };
  });
}

const name = (code: number): string => `v${code}`;

/** The query as Silverlode takes it. */
export function exprOf({ language, genres, tag, years: [gte, lte], most }: FilterQuery): FilterExpr {
  return {
    and: [
      { eq: ['language', name(language)] },
      { in: ['genre', genres.map(name)] },
      { not: { eq: ['tags', name(tag)] } },
      { eq: ['in_stock', true] },
      { range: ['year', { gte, lte }] },
      { range: ['price', { lte: most }] },
    ],
  };
}

/** How many items match, looked at one by one. */
export function countMatches(catalogue: FilterCatalogue, { language, genres, tag, years, most }: FilterQuery): number {
  const { items, tags } = catalogue;
  let count = 0;
  for (let item = 0; item < items; item++) {
    const year = catalogue.year[item] as number;
    const passes =
      catalogue.language[item] === language &&
      genres.includes(catalogue.genre[item] as number) &&
      tags[item] !== tag &&
      tags[items + item] !== tag &&
      tags[2 * items + item] !== tag &&
      catalogue.inStock[item] === 1 &&
      year >= years[0] &&
      year <= years[1] &&
      (catalogue.price[item] as number) <= most;
    if (passes) count++;
  }
  return count;
}

/** The attributes as the index reads them, without a text per item in between. */
export function fieldsOf({ items, language, genre, tags, inStock, year, price }: FilterCatalogue): FieldColumn[] {
  const present = new Uint8Array(items).fill(1);
  const terms = (
    field: string,
    codes: Uint8Array,
    texts: string[],
    type: 'string' | 'boolean' = 'string',
  ): FieldColumn => ({
    ...{ name: field, type, multi: false, kind: 'terms', present, texts },
    offsets: Uint32Array.from({ length: items + 1 }, (_, item) => item),
    codes: Int32Array.from(codes),
  });
  const names = (count: number) => Array.from({ length: count }, (_, code) => name(code));
  const numbers = (field: string, values: Int16Array | Int32Array): FieldColumn => ({
    ...{ name: field, type: 'int64', multi: false, kind: 'numbers', present },
    numbers: Float64Array.from(values),
  });
  return [
    terms('language', language, names(LANGUAGES)),
    terms('genre', genre, names(GENRES)),
    tagField(tags, items, present, names(TAGS)),
    terms('in_stock', inStock, ['false', 'true'], 'boolean'),
    numbers('year', year),
    numbers('price', price),
  ];
}

function tagField(tags: Uint8Array, items: number, present: Uint8Array, texts: string[]): FieldColumn {
  const offsets = new Uint32Array(items + 1);
  const codes = new Int32Array(tags.reduce((sum, tag) => sum + Number(tag !== NO_TAG), 0));
  let next = 0;
  for (let item = 0; item < items; item++) {
    for (let column = 0; column < TAGS_PER_ITEM; column++) {
      const tag = tags[column * items + item] as number;
      if (tag !== NO_TAG) codes[next++] = tag;
    }
    offsets[item + 1] = next;
  }
  return { name: 'tags', type: 'string', multi: true, kind: 'terms', present, texts, offsets, codes };
}

/** Set bits of a mask. */
export function countBits(words: BigInt64Array, begin = 0, end = words.length): number {
  const halves = new Uint32Array(words.buffer, words.byteOffset + 8 * begin, 2 * (end - begin));
  let count = 0;
  for (let word of halves) {
    word -= (word >>> 1) & 0x55555555;
    word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
    count += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return count;
}
