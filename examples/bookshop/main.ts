// npm run example:bookshop [-- --port 3000]
//
// A shop that recommends books from goodbooks-10k (SILVERLODE_DATA) or the synthetic catalogue, with a page.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { untilSignal } from 'silverlode/serve';
import { loadDemoData } from '../demo/data.js';
import { terminalProgress } from '../demo/progress.js';
import { createBookshop } from './app.js';

const { values } = parseArgs({ options: { port: { type: 'string', default: '3000' } } });
const progress = terminalProgress();
const data = await loadDemoData();
// npm runs scripts in the folder of package.json.
const app = await createBookshop(data, join('examples', 'bookshop', 'page.html'), progress.update);
progress.clear();
console.log(`${data.about}\n${await app.listen({ port: Number(values.port), host: '127.0.0.1' })}`);
await untilSignal();
await app.close();
