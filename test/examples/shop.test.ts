// The shelves of the shop example are what they say.
import { afterAll, expect, test } from 'vitest';
import { moreLike, newest, openShop, recommended } from '../../examples/shop.js';

const opened = openShop(3000);
afterAll(async () => (await opened).model.close());

test('recommended: at most two of a brand, nothing that was bought', async () => {
  const shop = await opened;
  const [user] = shop.users as [Float32Array];
  const { products } = await recommended(shop, user, []);
  expect(products).toHaveLength(12);
  const counts = new Map<string, number>();
  for (const { brand } of products) counts.set(brand, (counts.get(brand) ?? 0) + 1);
  expect(Math.max(...counts.values())).toBeLessThanOrEqual(2);
  const bought = products.slice(0, 3).map(({ id }) => id);
  const others = await recommended(shop, user, bought);
  expect(others.products.some(({ id }) => bought.includes(id))).toBe(false);
  for (const { id, title, price } of products)
    expect([title, price]).toEqual([expect.stringContaining(id.slice(4)), expect.any(Number)]);
});

test('more like this: not the product itself', async () => {
  const { products } = await moreLike(await opened, 'sku-7');
  expect(products).toHaveLength(12);
  expect(products.map(({ id }) => id)).not.toContain('sku-7');
});

test('newest: of the category, the latest first', async () => {
  const { model } = await opened;
  const { products } = await newest(await opened, 'lamps');
  const day = (id: string) => (Number(id.slice(4)) * 7919) % 900;
  expect(products.every(({ category }) => category === 'lamps')).toBe(true);
  const all = (
    await model.get(
      Array.from({ length: 3000 }, (_, i) => `sku-${i}`),
      { select: ['category'] },
    )
  ).flatMap((item, i) => (item?.category === 'lamps' ? [day(`sku-${i}`)] : []));
  expect(products.map(({ id }) => day(id))).toEqual(all.sort((a, b) => b - a).slice(0, 12));
});
