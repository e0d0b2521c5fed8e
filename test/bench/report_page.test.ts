// The report in a real browser. Skipped where no browser is installed.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
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
    // What the content security policy forbids is said here only.
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
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
    const figure = page.locator('#plot-recall-and-speed');
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
    const details = page.locator('#plot-recall-and-speed details');
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
    const stroke = () => page.locator('#plot-cost-over-k .chart svg path[stroke]').last().getAttribute('stroke');
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await stroke();
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(stroke).not.toBe(light);
    await page.close();
  });

  test('draws plots whose titles are ids of the page or would do harm', async () => {
    const titles = ['Data', 'Runs', 'Goals title', 'A', 'A title', HOSTILE];
    const results = titles.map((title) => {
      const plot = { title, series: HOSTILE, x: 'k', y: 'ms' };
      return { suite: HOSTILE, name: HOSTILE, medianMs: 1, samples: 1, figures: { k: 1 }, plot };
    });
    const out = folder.path('titles');
    const report = reportOf([{ ...run, file: HOSTILE, machine: { [HOSTILE]: HOSTILE }, results }]);
    await writeReport(report, out);
    const { page, errors } = await open(pathToFileURL(join(out, 'index.html')).href);
    expect(await page.locator('figure.plot .chart svg').count()).toBe(titles.length);
    expect(await page.locator('figure h3').allTextContents()).toEqual(titles);
    expect(await page.locator('img').count()).toBe(0);
    const ids = await page.locator('[id]').evaluateAll((all) => all.map(({ id }) => id));
    expect(ids).toEqual([...new Set(ids)]);
    for (const { id } of report.plots)
      expect(await imageOf(page, join(out, `${id}.svg`))).toMatchObject({ width: 960 });
    expect(errors).toEqual([]);
    await page.close();
  });

  test.each(['recall-and-speed.svg', 'cost-over-k.svg'])('%s is an image of its own', async (name) => {
    const { page, errors } = await open(url);
    const { width, height, texts } = await imageOf(page, join(folder.path('report'), name));
    expect([width, height]).toEqual([960, 480]);
    // Legends break long names into lines, between words.
    const words = name.startsWith('recall') ? HOSTILE : 'Cost over k';
    expect(texts.join(' ').replace(/\s+/g, ' ')).toContain(words);
    expect(errors).toEqual([]);
    await page.close();
  });
});

/** The size of a file as an image, and its texts; fails where it is not well-formed XML. */
async function imageOf(page: Page, file: string): Promise<{ width: number; height: number; texts: string[] }> {
  const source = JSON.stringify(await readFile(file, 'utf8'));
  return await page.evaluate(`(async () => {
    const svg = new DOMParser().parseFromString(${source}, 'image/svg+xml');
    const wrong = svg.querySelector('parsererror');
    if (wrong !== null) throw new Error(wrong.textContent);
    const image = new Image();
    image.src = 'data:image/svg+xml,' + encodeURIComponent(${source});
    await image.decode();
    const texts = [...svg.querySelectorAll('text')].map((text) => text.textContent);
    return { width: image.naturalWidth, height: image.naturalHeight, texts };
  })()`);
}
