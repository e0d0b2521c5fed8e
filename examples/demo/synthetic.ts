// The seeded synthetic catalogue, for when no real data is at hand. It has no trained weights, so its value formula
// works on the retrieval score and on item columns alone.
import { type CatalogueAttributes, type CatalogueOptions, makeCatalogue } from 'silverlode/data';
import type { DemoData, DemoFilter } from './data.js';

const THIS_YEAR = 2025;

export function syntheticData(options: CatalogueOptions = {}): DemoData {
  const { seed, ids, embeddings, attributes, queries, users } = makeCatalogue({ users: 500, ...options });
  const [items, dims] = embeddings.shape;
  const features = Float32Array.from({ length: 2 * items }, (_, i) => {
    const item = i >> 1;
    return i % 2 === 0 ? THIS_YEAR - (attributes.year[item] ?? THIS_YEAR) : Number(attributes.in_stock[item] ?? false);
  });
  return {
    dataset: 'synthetic',
    about: `synthetic catalogue, seed ${seed} (SILVERLODE_DATA does not name a folder with goodbooks10k)`,
    items: {
      ids,
      embeddings,
      attributes: { ...attributes },
      features: { data: features, shape: [items, 2], names: ['age', 'in_stock'] },
    },
    modules: { value: 'score + weight.fresh * exp(-age / 10) + if(in_stock, 0.05, 0)', weights: { fresh: 0.1 } },
    clusters: 'auto',
    title: (item) => `item ${item}: ${attributes.tags[item]?.join(', ') ?? 'no tags'}`,
    people: users.map(({ embedding, liked, heldOut }, index) => ({
      name: `user ${index}`,
      embedding,
      liked,
      seen: Int32Array.from(liked),
      heldOut,
    })),
    queries: {
      embeddings: Array.from({ length: queries.shape[0] }, (_, q) => queries.data.subarray(q * dims, (q + 1) * dims)),
    },
    filters: filters(attributes),
    shownFilter: 'language:(en OR es) AND in_stock:true AND price:<50',
  };
}

/** Each filter twice: in the filter language and in TypeScript. A comparison with NaN, the missing number, is false. */
function filters(columns: CatalogueAttributes): DemoFilter[] {
  const row = (item: number) => ({
    language: columns.language[item],
    tags: columns.tags[item] ?? [],
    creator: columns.creator[item],
    year: columns.year[item] ?? Number.NaN,
    price: columns.price[item] ?? Number.NaN,
    inStock: columns.in_stock[item],
    p50: columns.p50[item] as boolean,
    p10: columns.p10[item] as boolean,
    p1: columns.p1[item] as boolean,
    p01: columns.p01[item] as boolean,
  });
  type Row = ReturnType<typeof row>;
  const conditions: [text: string, matches: (row: Row) => boolean][] = [
    ['*', () => true],
    ['p50:true', ({ p50 }) => p50],
    ['p10:true', ({ p10 }) => p10],
    ['p1:true', ({ p1 }) => p1],
    ['p01:true', ({ p01 }) => p01],
    ['NOT p50:true AND p10:true', ({ p50, p10 }) => !p50 && p10],
    ['p10:true OR p1:true', ({ p10, p1 }) => p10 || p1],
    ['p01:true AND p1:true', ({ p1, p01 }) => p1 && p01],
    ['language:de', ({ language }) => language === 'de'],
    ['NOT language:(en OR es)', ({ language }) => language !== 'en' && language !== 'es'],
    ['NOT EXISTS(language)', ({ language }) => language === null],
    ['tags:love-drama', ({ tags }) => tags.includes('love-drama')],
    ['tags:science-tale', ({ tags }) => tags.includes('science-tale')],
    [
      'NOT tags:(crime-drama OR love-drama OR space-drama)',
      ({ tags }) => !tags.some((tag) => ['crime-drama', 'love-drama', 'space-drama'].includes(tag)),
    ],
    ['tags:crime-drama AND tags:war-drama', ({ tags }) => tags.includes('crime-drama') && tags.includes('war-drama')],
    ['creator:creator-0', ({ creator }) => creator === 'creator-0'],
    ['creator:creator-1234', ({ creator }) => creator === 'creator-1234'],
    ['NOT creator:creator-0 AND creator:(creator-0 OR creator-1)', ({ creator }) => creator === 'creator-1'],
    ['year:[1990 TO 2000}', ({ year }) => year >= 1990 && year < 2000],
    ['NOT year:>=1960', ({ year }) => !(year >= 1960)],
    ['price:{9.99 TO 19.99]', ({ price }) => price > 9.99 && price <= 19.99],
    [
      'in_stock:true AND price:<=5 AND year:>=2020',
      ({ inStock, price, year }) => inStock === true && price <= 5 && year >= 2020,
    ],
    [
      '(language:fr OR tags:robot-comedy) AND NOT (in_stock:false OR price:>100)',
      ({ language, tags, inStock, price }) =>
        (language === 'fr' || tags.includes('robot-comedy')) && !(inStock === false || price > 100),
    ],
    [
      'NOT (NOT p1:true AND NOT (language:sv AND p10:true))',
      ({ p1, p10, language }) => p1 || (language === 'sv' && p10),
    ],
    ['language:xx OR creator:nobody', () => false],
  ];
  return conditions.map(([text, matches]) => ({ text, matches: (item) => matches(row(item)) }));
}
