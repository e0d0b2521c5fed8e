// The bookshop by inject() and in a real browser; the browser part is skipped where none is installed.
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { dataFolder } from 'silverlode/data';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBookshop } from '../../examples/bookshop/app.js';
import type { DemoData } from '../../examples/demo/data.js';
import { goodbooksData } from '../../examples/demo/goodbooks.js';
import { syntheticData } from '../../examples/demo/synthetic.js';
import { browserPath, useBrowser } from '../support/browser.js';

const page = fileURLToPath(new URL('../../examples/bookshop/page.html', import.meta.url));
const sources: [string, () => DemoData | Promise<DemoData>][] = [
  ['synthetic', () => syntheticData({ items: 3000, users: 10, queries: 100 })],
];
if (dataFolder()) sources.push(['goodbooks', () => goodbooksData()]);

describe.each(sources)('the bookshop, %s', (name, load) => {
  let app: FastifyInstance;
  let data: DemoData;
  let url: string;

  beforeAll(async () => {
    data = await load();
    app = await createBookshop(data, page);
    await app.listen({ port: 0, host: '127.0.0.1' });
    url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/`;
  });
  afterAll(() => app?.close());

  const recommend = async (wish: object) => {
    const payload = { liked: [0], filters: [], weights: {}, ...wish };
    return (await app.inject({ method: 'POST', url: '/api/recommend', payload })).json();
  };
  const ids = ({ books }: { books: { id: number }[] }) => books.map(({ id }) => id);

  test('recommends what was not picked, within the filters, by the weights', async () => {
    const { filters, weights, books } = (await app.inject({ url: '/api/shelf' })).json();
    expect(books).toBe(data.items.ids.length);
    const plain = await recommend({});
    expect(ids(plain)).toHaveLength(20);
    expect(ids(plain)).not.toContain(0);
    expect(plain.stages.map(({ stage }: { stage: string }) => stage)).toContainEqual(
      expect.stringMatching(/^index · ivf_(scan|search)$/),
    );
    expect(ids(await recommend({ liked: [0, ...ids(plain).slice(0, 5)] }))).not.toContain(ids(plain)[0]);
    expect(ids(await recommend({ weights: { [weights[0].name]: weights[0].max } }))).not.toEqual(ids(plain));
    for (const { label } of filters) {
      const filtered = await recommend({ filters: [label] });
      expect(filtered.stats.eligibleRows).toBeLessThan(data.items.ids.length);
      expect(filtered.books.length).toBeGreaterThan(0);
    }
    const column = name === 'synthetic' ? data.items.attributes?.in_stock : data.items.attributes?.year;
    const label = name === 'synthetic' ? 'in stock' : 'before 1950';
    for (const id of ids(await recommend({ filters: [label] }))) {
      const value = (column as unknown[])[id];
      expect(name === 'synthetic' ? value : (value as number) < 1950).toBe(true);
    }
  });

  test('wishes that make no sense are refused', async () => {
    for (const payload of [
      {},
      { liked: ['x'], filters: [], weights: {} },
      { liked: [], filters: [], weights: { none: 1 } },
    ]) {
      const response = await app.inject({ method: 'POST', url: '/api/recommend', payload });
      expect(response.statusCode).toBeGreaterThanOrEqual(400);
    }
  });

  describe.skipIf(browserPath === undefined)('its page', () => {
    const { open } = useBrowser();

    test('picking a book, a filter and a weight changes list and times', async () => {
      const { page: shop, errors } = await open(url);
      const list = () => shop.locator('#books li button').allTextContents();
      const times = () => shop.locator('#times').innerText();
      await shop.locator('#books li').nth(19).waitFor();
      let before = await list();
      let clock = await times();
      const changed = async () => {
        await expect.poll(list).not.toEqual(before);
        await expect.poll(times).not.toEqual(clock);
        before = await list();
        clock = await times();
      };

      await shop.locator('#filters button').nth(3).click();
      await changed();
      expect(await shop.locator('#filters button').nth(3).getAttribute('aria-pressed')).toBe('true');
      await shop.locator('#weights input').first().fill('2');
      await changed();
      await shop.locator('#books li button').first().click();
      await changed();
      expect(await shop.locator('#liked li').count()).toBe(2);
      await shop.getByLabel('search titles').fill(data.title(7).slice(0, 12));
      await shop.locator('#found button').first().click();
      await changed();
      expect(await shop.locator('#liked li').count()).toBe(3);
      expect(errors).toEqual([]);
      await shop.close();
    });
  });
});
