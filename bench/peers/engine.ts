// node engine.js NAME CONFIG: the process of one JavaScript engine.
import type { Adapter } from './adapters/adapter.js';
import { serveEngine } from './engine_loop.js';

/** Loaded when asked for: a library that is not installed must not keep others away. */
const ADAPTERS: Readonly<Record<string, (config: never) => Promise<Adapter>>> = {
  silverlode: async () => new (await import('./adapters/silverlode.js')).SilverlodeAdapter(),
  usearch: async (config) => new (await import('./adapters/usearch.js')).UsearchAdapter(config),
  hnswlib: async (config) => new (await import('./adapters/hnswlib.js')).HnswlibAdapter(config),
  zvec: async (config) => new (await import('./adapters/zvec.js')).ZvecAdapter(config),
};

const [name = '', config = '{}'] = process.argv.slice(2);
const make = ADAPTERS[name];
if (make === undefined) throw new Error(`no engine '${name}'; there are ${Object.keys(ADAPTERS).join(', ')}`);
await serveEngine(await make(JSON.parse(config) as never), process.stdin, process.stdout);
