import { SilverlodeError } from '../../errors.js';
import { readVectors } from '../../io/vectors.js';
import { RetrievalModel } from '../../retrieval/model.js';
import type { ItemId, RetrieveRequest, RetrieveResult } from '../../retrieval/types.js';
import { type Output, properties, table } from '../output.js';
import { readRequest, writeRequest } from '../request_file.js';

/** Options of `silverlode query`; one of `embedding`, `vector`, `user`, `like` and `request` is given. */
export interface QueryFlags {
  device?: string;
  threads?: number;
  /** `FILE` or `FILE:ROW`, one per head. */
  embedding?: readonly string[];
  vector?: readonly Float32Array[];
  user?: Record<string, number | number[]>;
  /** A request in a file, in place of all that say what is asked. */
  request?: string;
  like?: readonly string[];
  dislike?: readonly string[];
  rank?: readonly string[];
  allow?: readonly string[];
  filter?: string;
  k: number;
  offset?: number;
  minScore?: number;
  group?: { field: string; limit: number };
  mmr?: number;
  select?: readonly string[];
  candidates?: number;
  probes?: number;
  recall?: number;
  count?: boolean;
  exclude?: readonly string[];
  weight?: Record<string, number>;
  /** Where to write the request. */
  dump?: string;
  /** How often it is answered; the time is that of the last one. */
  repeat: number;
  explain?: boolean;
  profile?: boolean;
}

/** Answers one request. */
export async function runQuery(path: string, flags: QueryFlags, output: Output): Promise<void> {
  const { device, threads, repeat } = flags;
  await using model = await RetrievalModel.load(path, { device, threads });
  const kind = model.describe().ids;
  const request = flags.request === undefined ? await fromFlags(flags, kind) : await readRequest(flags.request, kind);
  if (flags.dump !== undefined) await writeRequest(flags.dump, request);
  const plan = flags.explain ? await model.explain(request) : undefined;
  const profile = flags.profile ? await model.profile(request) : undefined;
  for (let run = 1; run < repeat; run++) await model.retrieve(request);
  const started = performance.now();
  const result = await model.retrieve(request);
  const milliseconds = performance.now() - started;
  output.result({ ...result, milliseconds, plan, profile }, () => {
    const parts = [resultTable(result), properties({ ...result.stats, milliseconds })];
    if (plan) {
      const { memory, capacities: _, ...rest } = plan;
      parts.push(properties({ ...rest, ...memory }));
    }
    if (profile) parts.push(table(profile.map(({ label, op, ...measured }) => ({ stage: label, op, ...measured }))));
    return parts.join('\n\n');
  });
}

async function fromFlags(flags: QueryFlags, kind: string): Promise<RetrieveRequest> {
  const { user, filter, k, offset, minScore, group, mmr, select, candidates, probes, recall, count, weight } = flags;
  const embedding = flags.embedding ? await Promise.all(flags.embedding.map(readRow)) : flags.vector;
  const ids = (texts: readonly string[] | undefined) => texts && typedIds(texts, kind);
  const named = {
    exclude: ids(flags.exclude),
    like: ids(flags.like),
    dislike: ids(flags.dislike),
    rank: ids(flags.rank),
    allow: ids(flags.allow),
  };
  const list = { k, offset, minScore, groups: group, diversity: mmr === undefined ? undefined : { mmr }, select };
  return { embedding, user, ...named, filter, ...list, candidates, probes, recall, count, weights: weight };
}

function resultTable({ ids, scores, tasks = {}, items = [] }: RetrieveResult): string {
  if (ids.length === 0) return 'no item is eligible';
  return table(
    ids.map((id, i) => ({
      rank: i + 1,
      id,
      score: scores[i],
      ...Object.fromEntries(Object.entries(tasks).map(([task, logits]) => [task, logits[i]])),
      ...Object.fromEntries(Object.entries(items[i] ?? {}).map(([name, value]) => [name, shown(value)])),
    })),
  );
}

const shown = (value: unknown): unknown => (Array.isArray(value) ? value.join(', ') : value);

/** The row that `FILE:ROW` names; row 0 of `FILE`. */
async function readRow(source: string): Promise<Float32Array> {
  const [, path = source, digits = '0'] = /^(.+):(\d+)$/.exec(source) ?? [];
  const { data, shape } = await readVectors(path);
  const [rows, dims] = shape;
  const row = Number(digits);
  if (row < rows) return data.subarray(row * dims, (row + 1) * dims);
  throw new SilverlodeError('INVALID_ARGUMENT', `${path} has ${rows} rows, there is no row ${row}`, { path, row });
}

/** Ids as text to the type that the model's ids have. */
function typedIds(texts: readonly string[], kind: string): ItemId[] {
  if (kind === 'string') return [...texts];
  const bad = texts.find((text) => !/^-?\d+$/.test(text));
  if (bad !== undefined) throw new SilverlodeError('INVALID_ARGUMENT', `the model's ids are integers, '${bad}' is not`);
  if (kind === 'bigint') return texts.map(BigInt);
  const wide = texts.find((text) => !Number.isSafeInteger(Number(text)));
  if (wide !== undefined)
    throw new SilverlodeError('INVALID_ARGUMENT', `the model's ids are below 2^53, ${wide} is not`);
  return texts.map(Number);
}
