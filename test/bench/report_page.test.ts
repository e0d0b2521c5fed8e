// The report in a real browser. Skipped where no browser is installed.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { writeReport } from '../../bench/report/index.js';
import { reportOf } from '../../bench/report/model.js';
import { browserPath, useBrowser } from '../support/browser.js';
import { tempFolder } from '../support/temp_folder.js';
import { HOSTILE, run } from './report_runs.js';

describe.skipIf(browserPath === undefined)('the report', async () => {
  const { open } = useBrowser();
  const folder = await tempFolder();
  let url = '';
  beforeAll(async () => {
    const out = folder.path('report');
    await writeReport(reportOf([run]), out);
    url = pathToFileURL(join(out, 'index.html')).href;
  });

  test('draws every plot and fetches nothing; names are text', async () => {
    const { page, errors } = await open(url);
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.reload();
    expect(requests.filter((each) => !each.startsWith('data:'))).toEqual([url]);
    expect(await page.locator('figure.plot .chart svg').count()).toBe(2);
    expect(await page.title()).toBe('Silverlode benchmarks');
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.locator('.legend').first().getByRole('button').nth(1).textContent()).toContain(HOSTILE);
    expect(await page.locator('#goals .summary strong').textContent()).toBe('2 of 3');
    expect(errors).toEqual([]);
    await page.close();
  });

  test('hides series and speaks points', async () => {
    const { page, errors } = await open(url);
    const figure = page.locator('#recall-and-speed');
    const drawn = () => figure.locator('.chart svg path').count();
    const before = await drawn();
    const button = figure.getByRole('button', { name: /img src/ });
    await button.click();
    expect(await button.getAttribute('aria-pressed')).toBe('false');
    expect(await drawn()).toBeLessThan(before);
    await button.click();
    expect(await drawn()).toBe(before);

    await figure.locator('.chart').focus();
    await page.keyboard.press('ArrowRight');
    const spoken = figure.locator('.spoken');
    expect(await spoken.textContent()).toBe('silverlode: recall@100 0.9, requests per second 9\u202f000');
    await page.keyboard.press('ArrowRight');
    expect(await spoken.textContent()).toContain('recall@100 0.94');
    await page.keyboard.press('ArrowDown');
    expect(await spoken.textContent()).toContain(HOSTILE);
    expect(errors).toEqual([]);
    await page.close();
  });

  test('sorts tables by numbers and by text', async () => {
    const { page } = await open(url);
    const details = page.locator('#recall-and-speed details');
    await details.locator('summary').click();
    const column = (n: number) => details.locator(`tbody tr td:nth-child(${n})`).allTextContents();
    await details.getByRole('button', { name: 'req/s' }).click();
    const speeds = (await column(4)).map((text) => Number(text.replaceAll('\u202f', '')));
    expect(speeds).toEqual([9000, 5000, 4000, 3000, 2000, 1000]);
    await details.getByRole('button', { name: 'result' }).click();
    const names = await column(2);
    expect(names).toEqual(names.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })));
    await page.close();
  });

  test('follows the colour scheme', async () => {
    const { page } = await open(url);
    const stroke = () => page.locator('#cost-over-k .chart svg path[stroke]').last().getAttribute('stroke');
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await stroke();
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(stroke).not.toBe(light);
    await page.close();
  });

  test.each(['recall-and-speed.svg', 'cost-over-k.svg'])('%s is an image of its own', async (name) => {
    const { page } = await open(url);
    const svg = new URL(name, url).href;
    await page.goto(svg);
    // Where it is not well-formed, a browser shows the error in a page of its own.
    expect(await page.locator('parsererror').allTextContents()).toEqual([]);
    expect(await page.evaluate('document.documentElement.nodeName')).toBe('svg');
    expect(await page.locator('text').count()).toBeGreaterThan(3);
    await page.close();
  });
});
