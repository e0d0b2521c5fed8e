// What a model is besides tensors; stored as one JSON tensor in the model file.
import { SilverlodeError } from '../errors.js';
import type { FilterManifest } from '../index/filter_index.js';
import type { RotationFacts } from '../index/rotation.js';
import type { ProgramSpec } from '../native/addon.js';
import type { Metric } from '../ops/ivf_probe.js';
import type { InputSpecs } from '../program/compile.js';
import { isList, isProgramSpec } from '../program/program_file.js';
import type { WeightSlot } from '../value/compile.js';

export interface Manifest {
  items: number;
  dims: number;
  metric: Metric;
  clusters: number;
  flat: boolean;
  /** Whether items are centred and rotated before they become int8; models of older versions say nothing and are not. */
  rotation?: RotationFacts;
  /** Mean live rows per cluster. */
  clusterRows: number;
  /** Clusters per head of requests that name none, where there is no recall target; else how many are expected. */
  probes: number;
  /** What was measured to honour recall targets; models of one cluster and of older versions have none. */
  recall?: RecallFacts;
  /** Default candidates of requests that are reranked, where they were tuned. */
  candidates?: number;
  /** Embeddings per user that the program is made for; null: any number. */
  heads: number | null;
  ids: 'string' | 'number' | 'bigint';
  filter: FilterManifest;
  /** Task names of the reranker. */
  tasks: string[];
  /** Item column names that formulas may use. */
  columns: string[];
  /** Request weights of the value formula. */
  weights: WeightSlot[];
  /** Whether candidates are reranked or valued before the final top k. */
  scored: boolean;
  /** Whether candidates are scored again by float rows before the final top k. */
  rescored?: boolean;
  /** Inputs of the tower, null without one. */
  tower: InputSpecs | null;
  programs: Programs;
  /** The programs that search a fresh segment too; models of older versions have none and take no updates. */
  freshPrograms?: Programs;
  /** What came after publishing, in a model that was saved with updates. */
  updates?: SavedUpdates;
  /** In a file that holds one part of a catalogue. */
  shard?: ShardFacts;
}

/** Which part of which catalogue a file holds. */
export interface ShardFacts {
  /** From 1. */
  index: number;
  of: number;
  /** Of the catalogue: shards of different ones do not go together. */
  version: string;
  /** Of all shards together, dealt one by one: none has more than one item more than another. */
  items: number;
}

/** By rising recall: what share of its true list a request may expect to miss, to reach it. */
export type RecallShares = readonly (readonly [recall: number, share: number])[];

/** How recall targets are honoured. */
export interface RecallFacts {
  /** Of requests that name neither `recall` nor `probes`; null where these look at `Manifest.probes` clusters. */
  target: number | null;
  /** For requests that all items are open to, by rising length of their lists. */
  open: readonly (readonly [length: number, shares: RecallShares])[];
  /** For those with a filter or excluded items. */
  narrowed: RecallShares;
  /** Clusters that a request for 100 items looks at, in the mean. */
  clusters: number;
}

/** Whether a search gives more candidates than are returned. */
export function isRankedAgain({ scored, rescored = false }: Manifest): boolean {
  return scored || rescored;
}

/** A program per kind of request. */
export interface Programs {
  embedding: ProgramSpec;
  user: ProgramSpec | null;
}

/** Updates that are part of a model file. */
export interface SavedUpdates {
  /** Fresh items; their tensors are those named `fresh.<name>`. */
  items: number;
  /** Attributes of the fresh items. */
  filter?: FilterManifest;
  /** Where the model stands in the log that it follows, as the log gave it. */
  position?: unknown;
  /** Records of the journal that the model holds. */
  journal?: number;
}

/** Reads a manifest that may come from anywhere; what programs hold is checked again when they are planned. */
export function parseManifest(bytes: Uint8Array): Manifest {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Manifest;
  } catch (cause) {
    throw new SilverlodeError('CORRUPT_FILE', 'the manifest is not JSON', { field: 'manifest' }, { cause });
  }
  if ((manifest as { kind?: unknown } | null)?.kind === 'program')
    throw new SilverlodeError('INVALID_ARGUMENT', 'the file holds a program; Program.load reads it');
  const positive = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;
  const checks: [keyof Manifest, boolean][] = [
    ['items', positive(manifest?.items)],
    ['dims', positive(manifest?.dims)],
    ['metric', ['ip', 'cosine', 'l2'].includes(manifest?.metric)],
    ['clusters', positive(manifest?.clusters)],
    ['rotation', manifest?.rotation === undefined || isRotation(manifest.rotation)],
    ['probes', positive(manifest?.probes)],
    ['recall', manifest?.recall === undefined || areRecallFacts(manifest.recall)],
    ['candidates', manifest?.candidates === undefined || positive(manifest.candidates)],
    ['clusterRows', manifest?.clusterRows > 0],
    ['heads', manifest?.heads === null || positive(manifest?.heads)],
    ['ids', ['string', 'number', 'bigint'].includes(manifest?.ids)],
    ['filter', typeof manifest?.filter === 'object' && manifest.filter !== null],
    ['tasks', isList(manifest?.tasks, (task) => typeof task === 'string')],
    ['columns', isList(manifest?.columns, (column) => typeof column === 'string')],
    ['weights', isList(manifest?.weights, (slot) => typeof (slot as WeightSlot)?.name === 'string')],
    ['tower', typeof manifest?.tower === 'object'],
    ['programs', arePrograms(manifest?.programs)],
    ['freshPrograms', manifest?.freshPrograms === undefined || arePrograms(manifest.freshPrograms)],
    ['updates', manifest?.updates === undefined || areUpdates(manifest.updates)],
    ['shard', manifest?.shard === undefined || isShard(manifest.shard)],
  ];
  const bad = checks.find(([, fits]) => !fits);
  if (bad)
    throw new SilverlodeError('CORRUPT_FILE', `the manifest's '${bad[0]}' is missing or out of range`, {
      field: bad[0],
    });
  const { recall } = manifest;
  return recall && areShares(recall.open) ? { ...manifest, recall: { ...recall, open: [[1, recall.open]] } } : manifest;
}

const isShare = (value: unknown) => typeof value === 'number' && value >= 0 && value <= 1;

function areShares(list: unknown): list is RecallShares {
  const isPair = (pair: unknown) => Array.isArray(pair) && pair.length === 2 && pair.every(isShare);
  return isList(list, isPair) && (list as unknown[]).length > 0;
}

function areRecallFacts({ target, open, narrowed, clusters }: RecallFacts): boolean {
  const isMeasured = (entry: unknown) => Array.isArray(entry) && entry[0] > 0 && areShares(entry[1]);
  // Models were published with one list of shares for all lengths.
  const areOpen = areShares(open) || (isList(open, isMeasured) && open.length > 0);
  return (target === null || isShare(target)) && areOpen && areShares(narrowed) && clusters > 0;
}

function isRotation(facts: RotationFacts | null): boolean {
  return typeof facts?.applied === 'boolean' && typeof facts.aligned === 'boolean';
}

function arePrograms(value: Programs | undefined): boolean {
  return isProgramSpec(value?.embedding) && (value?.user === null || isProgramSpec(value?.user));
}

function isShard(shard: ShardFacts | null): boolean {
  const { index = 0, of = 0, version, items = 0 } = shard ?? {};
  const areCounts = [index, of, items].every(Number.isSafeInteger);
  return areCounts && index >= 1 && index <= of && of <= items && typeof version === 'string';
}

function areUpdates(value: SavedUpdates | null): boolean {
  const isCount = (count: unknown) => Number.isSafeInteger(count) && (count as number) >= 0;
  const { items, filter, journal = 0 } = value ?? {};
  return isCount(items) && isCount(journal) && (items === 0) === (filter === undefined);
}
