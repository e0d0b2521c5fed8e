// A shop's shelves out of one model, without another store: recommended for you, more like this, newest in a category, at most two
// of a brand, boosted by margin. `npm run example:shop` runs it over 200 000 generated products.
import { pathToFileURL } from 'node:url';
import { publish, type RetrievalModel, type RetrieveResult } from 'silverlode';
import { makeCatalogue } from 'silverlode/data';

const CATEGORIES = ['shoes', 'lamps', 'books', 'tents', 'pans', 'toys', 'bags', 'coats', 'chairs', 'bikes'];
const DAY = 86_400_000;

export interface Product {
  title: string;
  price: number;
  category: string;
  brand: string;
}

export interface Shop {
  model: RetrievalModel;
  /** Vectors of users, float32 [dims] each. */
  users: readonly Float32Array[];
}

/** Products with made-up vectors: what is compared is what people filter, group and see. */
export async function openShop(count: number): Promise<Shop> {
  const { embeddings, users, clusterOf } = makeCatalogue({ items: count, dims: 64, users: 8, seed: 5 });
  const ids = Array.from({ length: count }, (_, i) => `sku-${i}`);
  const category = Array.from(clusterOf, (cluster) => CATEGORIES[cluster % CATEGORIES.length] as string);
  const brand = Array.from(clusterOf, (cluster, i) => `brand ${(cluster * 7 + (i % 3)) % 900}`);
  const margin = Float32Array.from(ids, (_, i) => ((i * 37) % 60) / 100);
  const created = Float64Array.from(ids, (_, i) => 1.7e12 + ((i * 7919) % 900) * DAY);
  const stored = ids.map((_, i): Product => {
    const [kind, maker] = [category[i] as string, brand[i] as string];
    return { title: `${maker} ${kind} no. ${i}`, price: 5 + ((i * 13) % 2000) / 10, category: kind, brand: maker };
  });
  const model = await publish({
    items: {
      ids,
      embeddings,
      attributes: { category, brand, margin, created },
      features: {
        data: Float32Array.from(created, (time) => (time - 1.7e12) / DAY),
        shape: [count, 1],
        names: ['day'],
      },
    },
    value: 'score + weight.newest * day',
    stored,
  });
  return { model, users: users.map(({ embedding }) => embedding) };
}

export interface Shelf {
  products: (Product & { id: string })[];
}

const SHOWN = { select: ['title', 'price', 'category', 'brand'] };

function shelf({ ids, items = [] }: RetrieveResult): Shelf {
  return { products: ids.map((id, i) => ({ ...(items[i] as Product), id: id as string })) };
}

/** The best for a user, at most two of a brand, better margins a little in front, without what was bought. */
export async function recommended(
  { model }: Shop,
  user: Float32Array,
  bought: readonly string[],
  k = 12,
): Promise<Shelf> {
  const boost = [{ filter: 'margin:>=0.4', factor: 1.1 }];
  return shelf(
    await model.retrieve({
      embedding: user,
      exclude: bought,
      boost,
      groups: { field: 'brand', limit: 2 },
      k,
      ...SHOWN,
    }),
  );
}

/** What is like a product, and not all the same. */
export async function moreLike({ model }: Shop, id: string, k = 12): Promise<Shelf> {
  return shelf(await model.retrieve({ like: [id], diversity: { mmr: 0.8 }, k, ...SHOWN }));
}

/** The newest of a category: all of its products are candidates, and their day decides. */
export async function newest({ model }: Shop, category: string, k = 12): Promise<Shelf> {
  const anyone = new Float32Array(model.dims);
  const request = { embedding: anyone, filter: `category:${category}`, weights: { newest: 1 }, recall: 1 };
  return shelf(await model.retrieve({ ...request, candidates: 2 ** 17, k, ...SHOWN }));
}

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 200_000);
  const started = performance.now();
  const shop = await openShop(count);
  console.log(`${count} products published in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  const [user] = shop.users as [Float32Array];
  const show = async (name: string, work: () => Promise<Shelf>) => {
    await work();
    const begun = performance.now();
    const { products } = await work();
    console.log(`\n${name} (${(performance.now() - begun).toFixed(1)} ms)`);
    for (const { id, title, price } of products.slice(0, 5))
      console.log(`  ${id.padEnd(11)} ${price.toFixed(2).padStart(7)}  ${title}`);
  };
  const [first] = (await recommended(shop, user, [])).products;
  await show('recommended for you', () => recommended(shop, user, [first?.id as string]));
  await show(`more like ${first?.title}`, () => moreLike(shop, first?.id as string));
  await show('newest lamps', () => newest(shop, 'lamps'));
  console.log(
    `\nresident: ${(process.memoryUsage.rss() / 2 ** 20).toFixed(0)} MiB, ${(shop.model.describe().bytes / 2 ** 20).toFixed(0)} of them the model`,
  );
  await shop.model.close();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
