// Attributes of the synthetic catalogue: skewed as real ones are, a few missing, some tied to the clusters.

import { type Random, zipf } from './random.js';

/** One column per field; `null` is a missing value. */
export interface CatalogueAttributes {
  /** Twelve languages, the first far ahead; 3 % missing. */
  readonly language: (string | null)[];
  /** One to five of 200 tags, half of them typical of the item's cluster; 2 % have none. */
  readonly tags: (string[] | null)[];
  /** A long tail: one creator per 20 items, few with many items. */
  readonly creator: string[];
  /** 1950 to 2025, mostly recent; 2 % missing. */
  readonly year: (number | null)[];
  /** 1 to 200 with two decimals, mostly low; 3 % missing. */
  readonly price: (number | null)[];
  /** True for nine in ten; 1 % missing. */
  readonly in_stock: (boolean | null)[];
  /** True for 50 % of the items, independent of everything else. */
  readonly p50: boolean[];
  /** True for 10 %. */
  readonly p10: boolean[];
  /** True for 1 %. */
  readonly p1: boolean[];
  /** True for 0.1 %. */
  readonly p01: boolean[];
}

const LANGUAGES = ['en', 'es', 'de', 'fr', 'pt', 'it', 'nl', 'ja', 'ko', 'zh', 'pl', 'sv'];

const THEMES = [
  ...['crime', 'love', 'space', 'history', 'family', 'magic', 'war', 'city', 'nature', 'music'],
  ...['travel', 'school', 'ocean', 'sport', 'robot', 'ghost', 'food', 'art', 'money', 'science'],
];
const FORMS = ['drama', 'comedy', 'mystery', 'adventure', 'classic', 'series', 'documentary', 'short', 'guide', 'tale'];

/** From the most to the least used: `crime-drama`, `love-drama`, … `science-tale`. */
const TAGS = FORMS.flatMap((form) => THEMES.map((theme) => `${theme}-${form}`));

const TAGS_PER_CLUSTER = 3;
const ITEMS_PER_CREATOR = 20;

/**
 * Draws the attributes of every item.
 *
 * @param clusterOf The cluster of each item.
 * @param clusters How many clusters there are.
 * @param random Where the randomness comes from.
 */
export function makeAttributes(clusterOf: Int32Array, clusters: number, random: Random): CatalogueAttributes {
  const items = clusterOf.length;
  const column = <T>(draw: (item: number) => T): T[] => Array.from({ length: items }, (_, item) => draw(item));
  const sometimes = <T>(missing: number, draw: (item: number) => T): (T | null)[] =>
    column((item) => (random.chance(missing) ? null : draw(item)));

  const language = zipf(random, LANGUAGES.length);
  const tag = zipf(random, TAGS.length);
  const creator = zipf(random, Math.max(1, Math.round(items / ITEMS_PER_CREATOR)));
  const clusterTags = Array.from({ length: clusters }, () => Array.from({ length: TAGS_PER_CLUSTER }, tag));
  const drawTags = (item: number): string[] => {
    const typical = clusterTags[clusterOf[item] as number] as number[];
    const drawn = Array.from({ length: 1 + random.integer(5) }, () =>
      random.chance(0.5) ? random.pick(typical) : tag(),
    );
    return [...new Set(drawn)].map((rank) => TAGS[rank] as string);
  };
  return {
    language: sometimes(0.03, () => LANGUAGES[language()] as string),
    tags: sometimes(0.02, drawTags),
    creator: column(() => `creator-${creator()}`),
    year: sometimes(0.02, () => 2025 - Math.floor(76 * random.uniform() ** 2)),
    price: sometimes(0.03, () => Math.round(100 + 19_900 * random.uniform() ** 3) / 100),
    in_stock: sometimes(0.01, () => random.chance(0.9)),
    p50: column(() => random.chance(0.5)),
    p10: column(() => random.chance(0.1)),
    p1: column(() => random.chance(0.01)),
    p01: column(() => random.chance(0.001)),
  };
}
