// What is typed after `npm run bench --`.
import { parseArgs } from 'node:util';

/** A mistake of whoever typed; told without a stack. */
export class UsageError extends Error {}

/** The arguments, checked. */
export interface BenchArguments {
  suites: string[];
  help: boolean;
  quick: boolean;
  filter: string;
  device: string;
  threads: number;
  simd?: string;
  data?: string;
  metric?: string;
  items?: number;
  repeats?: number;
  engines?: string[];
  sets?: string[];
  clusters?: number[];
  install?: boolean;
  peers?: boolean;
  json?: string;
  compare?: string;
  with?: string;
}

const METRICS = ['ip', 'cosine', 'l2'];

const OPTIONS = {
  help: { type: 'boolean', default: false, short: 'h' },
  quick: { type: 'boolean', default: false },
  filter: { type: 'string', default: '' },
  device: { type: 'string', default: 'cpu' },
  threads: { type: 'string', default: '0' },
  simd: { type: 'string' },
  data: { type: 'string' },
  metric: { type: 'string' },
  items: { type: 'string' },
  repeats: { type: 'string' },
  engines: { type: 'string' },
  set: { type: 'string' },
  clusters: { type: 'string' },
  install: { type: 'boolean' },
  peers: { type: 'boolean' },
  json: { type: 'string' },
  compare: { type: 'string' },
  with: { type: 'string' },
} as const;

/**
 * Parses and checks arguments.
 *
 * @param known All suites.
 * @param byDefault Those that run where none is named.
 * @throws UsageError that says what there is instead.
 */
export function parseArguments(
  args: readonly string[],
  known: readonly string[],
  byDefault: readonly string[],
): BenchArguments {
  const { values, positionals } = parsed(args);
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new UsageError(`no suite ${unknown.join(', ')}; there are: ${known.join(', ')}`);
  const threads = count('threads', values.threads, 0);
  if (values.metric !== undefined && !METRICS.includes(values.metric))
    throw new UsageError(`--metric is one of ${METRICS.join(', ')}; it is ${values.metric}`);
  if (values.with !== undefined && values.compare === undefined)
    throw new UsageError('--with names the second file of a comparison; give --compare as well');
  return {
    ...values,
    threads,
    items: values.items === undefined ? undefined : count('items', values.items, 1),
    repeats: values.repeats === undefined ? undefined : count('repeats', values.repeats, 1),
    engines: values.engines?.split(','),
    sets: values.set?.split(','),
    clusters: values.clusters?.split(',').map((text) => count('clusters', text, 1)),
    suites: positionals.length > 0 ? positionals : [...byDefault],
  };
}

function count(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new UsageError(`--${name} must be a whole number from ${least} on; it is ${text}`);
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS });
  } catch (error) {
    const names = Object.keys(OPTIONS).map((name) => `--${name}`);
    throw new UsageError(`${(error as Error).message.split('. ', 1)[0]}; options: ${names.join(' ')}`);
  }
}

/** The text of `--help`. */
export function helpText(known: readonly string[], byDefault: readonly string[]): string {
  return `npm run bench -- [suite …] [options]
npm run bench -- report [file …] [--out FOLDER] [--markdown]

Suites: ${known.map((name) => (byDefault.includes(name) ? name : `${name} (only when named)`)).join(', ')}

  --quick            small sizes and short measurements: a smoke test, figures mean little
  --filter TEXT      only cases whose name contains the text
  --device ID        cpu (default) or cuda:0
  --threads N        compute threads of the processor; default: all physical cores
  --simd LEVEL       serial, avx2, avx512vnni or neon; default: the best there is
  --data SPEC        vectors to measure on: file[,queries[,truth]] (.fbin .u8bin .i8bin .fvecs .bvecs .npy .parquet; truth .ivecs .ibin),
                     an .hdf5 of ann-benchmarks; goodbooks or sift where SILVERLODE_DATA has them; words, sentences or cls of packages
  --metric METRIC    ip (default), cosine or l2: of vectors from files
  --items N          rows of the synthetic set, for suites that can grow (peers, ann, filter, topk, rerank, publish, load, scan)
  --repeats N        rounds of the suites that alternate sides
  --engines A,B      who takes part in peers
  --set A,B          recall: only these sets, such as tight or words; a wrong name tells all
  --clusters A,B     recall: numbers of clusters instead of the default
  --install          install the peers anew
  --peers            filter, topk, rerank: other libraries in turn with ours
  --json FILE        write machine facts and results, anew with every result
  --compare FILE     compare with an earlier run; exit code 1 when something became worse
  --with FILE        compare with --compare's file, and run nothing
  --help             this text`;
}
