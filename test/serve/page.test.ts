// The page in a real browser: what it shows is what the service says. Skipped where no browser is installed.
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browserPath, useBrowser } from '../support/browser.js';
import { queryVector, smallModel } from './models.js';
import { scoredModel, serve, type TestService } from './service.js';

describe.skipIf(browserPath === undefined)('the page', () => {
  const { open } = useBrowser();
  const services: TestService[] = [];
  afterAll(() => Promise.all(services.map(({ close }) => close())));

  async function start(options = {}) {
    const service = await serve(
      { books: await smallModel(), scored: await scoredModel() },
      { profileEveryMs: 20, ...options },
    );
    services.push(service);
    await service.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = service.app.server.address() as AddressInfo;
    return { ...service, url: `http://127.0.0.1:${port}/` };
  }

  let service: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    service = await start();
  });

  test('answers a query with a filter, and shows why one is refused', async () => {
    const { page, errors } = await open(service.url);
    await page.getByText('300 items').waitFor();
    const embedding = queryVector();
    await page.locator('#user').fill(JSON.stringify({ embedding: [...embedding] }));
    await page.locator('#filter').fill('language:en');
    await page.locator('#k').fill('4');
    await page.getByRole('button', { name: 'Retrieve' }).click();
    await page.locator('#results tbody tr').nth(3).waitFor();
    const shown = await page.locator('#results tbody tr td:nth-child(2)').allTextContents();
    const { ids } = await service.hub.retrieve('books', { embedding, filter: 'language:en', k: 4 });
    expect(shown).toEqual(ids.map(String));
    expect(await page.locator('#summary').textContent()).toMatch(/^4 of 100 eligible rows looked at, .*queue;dur=/);

    await page.locator('#filter').fill('language:');
    await page.getByRole('button', { name: 'Retrieve' }).click();
    await page.getByText(/^FILTER_SYNTAX: /).waitFor();
    expect(await page.locator('#results tbody tr').count()).toBe(0);
    expect(errors).toEqual([]);
    await page.close();
  });

  test('weights change the order', async () => {
    const { page, errors } = await open(service.url);
    await page.locator('#model').selectOption('scored');
    await page.getByLabel('weight.like').waitFor();
    await page.locator('#user').fill(JSON.stringify({ embedding: [...queryVector()] }));
    const list = async (like: string) => {
      await page.getByLabel('weight.like').fill(like);
      const answered = page.waitForResponse(/retrieve$/);
      await page.getByRole('button', { name: 'Retrieve' }).click();
      const { ids } = await (await answered).json();
      await page.locator('#results tbody tr').first().getByText(ids[0], { exact: true }).waitFor();
      return ids;
    };
    const [without, against] = [await list('0'), await list('-50')];
    expect(without).not.toEqual(against);
    const request = { embedding: queryVector(), k: 10, weights: { like: -50 } };
    expect(against).toEqual((await service.hub.retrieve('scored', request)).ids.map(String));
    expect(await page.locator('#results th').allTextContents()).toEqual(['', 'id', 'score', 'click', 'like']);
    expect(errors).toEqual([]);
    await page.close();
  });

  test('versions, latency, batches and stages are live', async () => {
    const { page, errors } = await open(service.url);
    await page.locator('#versions tbody tr').first().waitFor();
    const embedding = queryVector(5);
    await Promise.all(Array.from({ length: 64 }, () => service.hub.retrieve('books', { embedding })));
    await page.getByText('index · ivf_scan').waitFor();
    await page
      .locator('#latency')
      .getByText(/≤ .* ms/)
      .first()
      .waitFor();
    const runs = async () =>
      (await page.locator('#batches td.number').allTextContents()).reduce((sum, n) => sum + Number(n), 0);
    await expect.poll(runs).toBe(service.hub.current('books')?.batcher.statistics().batchSizes.count);
    await service.hub.add('books', await smallModel(), { label: 'the next one' });
    await page.getByText('the next one').waitFor();
    expect(await page.locator('#versions tbody tr').first().locator('td').allTextContents()).toEqual(
      expect.arrayContaining(['2', 'the next one', 'serving', '300']),
    );
    expect(errors).toEqual([]);
    await page.close();
  });

  test('asks for the token, and shows text as text', async () => {
    const guarded = await start({ token: 'secret' });
    await guarded.hub.add('books', await smallModel(), { label: '<img src=x onerror=alert(1)>' });
    const { page, errors } = await open(guarded.url);
    await page.getByText('UNAUTHORIZED').waitFor();
    await page.getByLabel('token').fill('secret');
    await page.getByLabel('token').blur();
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByText('<img src=x onerror=alert(1)>').waitFor();
    expect(await page.locator('#versions img').count()).toBe(0);
    expect(errors).toEqual([]);
    await page.close();
  });
});
