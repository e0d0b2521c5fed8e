// The script and the style of the page, with what they need of Apache ECharts, as text.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { rolldown } from 'rolldown';

/** Reads the sources beside the repository's package.json, wherever this file was compiled to. */
export async function bundlePage(): Promise<{ script: string; style: string }> {
  const root = path.dirname(createRequire(import.meta.url).resolve('silverlode/package.json'));
  const page = path.join(root, 'bench/report/page');
  await using bundle = await rolldown({
    input: path.join(page, 'main.ts'),
    platform: 'browser',
    logLevel: 'silent',
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
  });
  const { output } = await bundle.generate({ format: 'iife', minify: true });
  return { script: output[0].code, style: readFileSync(path.join(page, 'style.css'), 'utf8') };
}
