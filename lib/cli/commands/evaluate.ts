import { SilverlodeError } from '../../errors.js';
import { readTable, readVectors } from '../../io/vectors.js';
import { evaluate, type Interaction } from '../../retrieval/evaluate.js';
import { RetrievalModel } from '../../retrieval/model.js';
import type { ItemId } from '../../retrieval/types.js';
import { Interrupt } from '../interrupt.js';
import { type Output, properties } from '../output.js';
import { Progress } from '../progress.js';

/** Options of `silverlode evaluate`. */
export interface EvaluateFlags {
  device?: string;
  threads?: number;
  interactions: string;
  history: string;
  held: string;
  /** Embeddings of the people, by row, in place of their histories. */
  queries?: string;
  listSeparator?: string;
  delimiter?: string;
  filter?: string;
  recall?: number;
  k: number;
}

/** Prints how good the lists of a model are for people whose later choices a file holds. */
export async function runEvaluate(path: string, flags: EvaluateFlags, output: Output): Promise<void> {
  using interrupt = new Interrupt();
  const { signal } = interrupt;
  using progress = new Progress();
  const { device, threads, k, interactions, delimiter, listSeparator } = flags;
  await using model = await RetrievalModel.load(path, { device, threads });
  const table = await readTable(interactions, { signal, delimiter, listSeparator });
  const queries = flags.queries === undefined ? undefined : await readVectors(flags.queries, { signal });
  const held = columnOf(table, flags.held, interactions);
  const history = flags.history in table || !queries ? columnOf(table, flags.history, interactions) : undefined;
  if (queries && queries.shape[0] !== held.length)
    throw new SilverlodeError(
      'SHAPE_MISMATCH',
      `${flags.queries} has ${queries.shape[0]} rows, ${interactions} ${held.length}`,
    );
  const kind = model.describe().ids;
  const ids = (value: unknown) => idsOf(value, kind);
  const people = held.flatMap((each, row): Interaction[] => {
    const seen = ids(history?.[row]);
    if (!queries && seen.length === 0) return [];
    const who = queries
      ? { embedding: queries.data.subarray(row * model.dims, (row + 1) * model.dims), exclude: seen }
      : { like: seen };
    return [{ request: { ...who, filter: flags.filter, recall: flags.recall }, held: ids(each) }];
  });
  const result = await evaluate(model, people, {
    k,
    signal,
    onProgress: ({ done }) => progress.update('evaluating', done, people.length),
  });
  progress.stop();
  output.result({ path, ...result }, () => properties({ path, ...result }));
}

function columnOf(table: Readonly<Record<string, unknown[]>>, name: string, path: string): unknown[] {
  const column = table[name];
  if (column) return column;
  const message = `${path} has no column '${name}'; it has ${Object.keys(table).join(', ')}`;
  throw new SilverlodeError('UNKNOWN_FIELD', message, { field: name });
}

/** One id or a list of them, in the type of the model's ids. */
function idsOf(value: unknown, kind: 'string' | 'number' | 'bigint'): ItemId[] {
  const list = value === null || value === undefined ? [] : Array.isArray(value) ? value : [value];
  return list.map((id) => {
    if (kind === 'string') return String(id);
    const number = typeof id === 'bigint' ? id : Number(id);
    if (typeof number === 'number' && !Number.isSafeInteger(number))
      throw new SilverlodeError('INVALID_ARGUMENT', `ids of the model are integers, '${String(id)}' is not`);
    return kind === 'bigint' ? BigInt(number) : Number(number);
  });
}
