// A headless browser of the machine; tests that need one are skipped where there is none.
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { findProgram } from './program.js';

/** Where a browser is; undefined when there is none. */
export const browserPath = findProgram('chromium', 'chromium-browser', 'google-chrome');

/** Opens one browser for the tests of a file; the page fails the test that left an error in its console. */
export function useBrowser(): { open: (url: string) => Promise<{ page: Page; errors: string[] }> } {
  let browser: Browser;
  beforeAll(async () => {
    // Without a sandbox, since tests may run as root; the only site it sees is ours.
    browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox', '--disable-gpu'] });
  });
  afterAll(() => browser?.close());
  return {
    open: async (url) => {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('requestfailed', (request) => errors.push(`${request.url()} failed`));
      page.setDefaultTimeout(15_000);
      await page.goto(url);
      return { page, errors };
    },
  };
}
