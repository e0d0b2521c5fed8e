// Folds a fresh segment into the main one: what a catalogue published from scratch, in the order of its items, would hold.
import { decodeFields } from '../../index/filter_decode.js';
import { FilterIndex } from '../../index/filter_index.js';
import { FIRST_ROUND, IvfIndex, layOutRows } from '../../index/ivf_index.js';
import { joinFields } from '../../index/join_fields.js';
import { Pace } from '../../index/pace.js';
import { inPieces, type Progress, type ProgressEvent } from '../../index/progress.js';
import { NOT_ROTATED } from '../../index/rotation.js';
import type { NativeDevice, ProgramSpec } from '../../native/addon.js';
import { gatherRows } from '../../ops/gather_rows.js';
import { type Tensor, tensor, tensorInPieces } from '../../tensor/tensor.js';
import { CatalogueIds } from '../item_ids.js';
import { type ModelParts, withPrefix } from '../main_segment.js';
import type { Manifest, Programs } from '../manifest.js';
import { type Calibrated, calibrate } from '../recall/calibrate.js';
import { StoredItems } from '../stored.js';
import type { ItemId } from '../types.js';
import type { Capture } from './capture.js';
import { bytesOf, isSet } from './live_bits.js';
import { type Reclustered, recluster } from './recluster.js';

/** Where every item of the new segment comes from; places in the fresh segment follow those of the main one. */
export interface Sources {
  ordinals: Int32Array;
  rows: Int32Array;
  /** Of the first `main` items. */
  main: number;
}

export interface FoldOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((event: ProgressEvent) => void) | undefined;
}

/**
 * Rows keep their int8 values. They keep their clusters too, and fresh ones go to their nearest centroid, as long as these still
 * fit; else all are clustered anew (recluster.ts). What a search knows of its clusters is learnt again.
 *
 * @param device Where recall targets are calibrated.
 * @returns Parts with handles of their own.
 */
export async function fold(
  captured: Capture,
  progress: Progress,
  options: FoldOptions,
  device: NativeDevice,
): Promise<ModelParts> {
  const sources = await findSources(captured);
  progress.step('assign', 0, 1);
  const rows = await int32(sources.rows);
  const rowsOf = (name: string) => gathered(captured, `index.${name}`, name, rows);
  const clustered = await recluster(captured, rowsOf, sources.main, progress);
  const parts = await assemble(captured, sources, clustered, progress, options);
  if (clustered.learned === undefined) return parts;
  const { items, dims, metric, rotation = NOT_ROTATED } = parts.manifest;
  const facts = { items, dims, metric, rotation, flat: false, firstRound: FIRST_ROUND };
  const index = new IvfIndex(facts, Object.fromEntries(withPrefix(parts.tensors, 'index.')));
  const rescored = parts.manifest.rescored ?? false;
  const calibrated = await calibrate(index, clustered.learned, { device, seed: 0, rescored, progress });
  return { ...parts, manifest: withRecall(parts.manifest, calibrated) };
}

/**
 * A segment of the items that `sources` names, in the clusters given; rows keep their int8 values.
 *
 * @returns Parts with handles of their own.
 */
export async function assemble(
  captured: Capture,
  sources: Sources,
  clustered: Pick<Reclustered, 'clusters' | 'tensors'>,
  progress: Progress,
  options: FoldOptions,
): Promise<ModelParts> {
  const { main: tensors, version } = captured;
  const { manifest } = version.main;
  const layout = await layOutRows(clustered.clusters, manifest.clusters);
  const order = await sourceRows(layout.ordinals, sources);
  const ordinals = await int32(sources.ordinals);
  progress.step('rows', 0, 1);
  const replaced: Record<string, Tensor | undefined> = {
    'index.rows': await gathered(captured, 'index.rows', 'rows', order),
    'index.rowScales': await gathered(captured, 'index.rowScales', 'rowScales', order),
    'index.rowBias': await gathered(captured, 'index.rowBias', 'rowBias', order),
    embeddings: await gathered(captured, 'embeddings', 'embeddings', ordinals),
    features: await gathered(captured, 'features', 'features', ordinals),
    'index.ordinals': await int32(layout.ordinals),
    'index.rowOf': await int32(layout.rowOf),
    'index.live': tensor(layout.live) as Tensor,
    'index.clusterBegin': tensor(layout.clusterBegin) as Tensor,
    ...clustered.tensors,
  };
  const eligible = await foldFilter(captured, sources, layout.ordinals, options);
  const ids = await foldIds(captured, sources);
  progress.step('rows', 1, 1);

  const kept = [...tensors].filter(([name]) => !/^(eligible|ids|stored)\./.test(name));
  const all = new Map<string, Tensor>([
    ...kept.map(([name, each]): [string, Tensor] => [name, replaced[name] ?? each.reshape(each.shape)]),
    ...[...eligible.stateDict()].map(([name, each]): [string, Tensor] => [`eligible.${name}`, each]),
    ...ids.tensors,
    ...(await foldStored(captured, sources)),
  ]);
  return { manifest: foldManifest(manifest, eligible, all, sources.ordinals.length), tensors: all, ids };
}

/** Rows of a table of the main segment, followed by its table in the fresh one; undefined in a model without it. */
async function gathered({ main, fresh }: Capture, name: string, tail: string, index: Tensor<'int32'>) {
  const table = main.get(name);
  return table && ((await gatherRows(table, index as Tensor, { tail: fresh.get(tail) })) as Tensor);
}

/** A copy, made in pieces. */
function int32(values: Int32Array): Promise<Tensor<'int32'>> {
  return tensorInPieces(values, 'int32', [values.length]);
}

async function findSources({ version, main: tensors, rows: freshRows }: Capture): Promise<Sources> {
  const { main } = version;
  const live = bytesOf(tensors.get('index.live') as Tensor);
  const items = version.mainItems + freshRows.length;
  const ordinals = new Int32Array(items);
  const rows = new Int32Array(items);
  let own = 0;
  await inPieces(main.rowOf.length, (begin, end) => {
    for (let ordinal = begin; ordinal < end; ordinal++) {
      const row = main.rowOf[ordinal] as number;
      if (!isSet(live, row)) continue;
      ordinals[own] = ordinal;
      rows[own++] = row;
    }
  });
  const mainRows = tensors.get('index.rows')?.shape[0] as number;
  freshRows.forEach((row, i) => {
    ordinals[own + i] = main.ids.length + row;
    rows[own + i] = mainRows + row;
  });
  return { ordinals, rows, main: own };
}

/** Where the rows of a layout come from, -1 for padding. */
async function sourceRows(layout: Int32Array, { rows }: Sources): Promise<Tensor<'int32'>> {
  const order = new Int32Array(layout.length);
  await inPieces(layout.length, (begin, end) => {
    for (let row = begin; row < end; row++) {
      const item = layout[row] as number;
      order[row] = item < 0 ? -1 : (rows[item] as number);
    }
  });
  return int32(order);
}

async function foldFilter(
  { version, fields, attributes }: Capture,
  sources: Sources,
  ordinals: Int32Array,
  options: FoldOptions,
): Promise<FilterIndex> {
  const { eligible } = version.main;
  const pace = new Pace('attributes', sources.main * fields.length, options);
  const decoded = await decodeFields(eligible, sources.rows.subarray(0, sources.main), pace);
  const columns = await joinFields(decoded, sources.main, fields, attributes);
  return FilterIndex.build(columns, {
    ...options,
    hashes: eligible.hashes || undefined,
    ordinals,
    items: sources.ordinals.length,
  });
}

function foldStored({ version, stored }: Capture, { ordinals, main }: Sources): Promise<Map<string, Tensor>> {
  return StoredItems.build(ordinals.length, (item) =>
    item < main ? (version.main.stored?.at(ordinals[item] as number) ?? '') : (stored[item - main] as string),
  );
}

async function foldIds({ version, ids }: Capture, { ordinals, main }: Sources): Promise<CatalogueIds> {
  const all: ItemId[] = [];
  await inPieces(ordinals.length, (begin, end) => {
    for (let item = begin; item < end; item++)
      all.push(item < main ? version.main.ids.at(ordinals[item] as number) : (ids[item - main] as ItemId));
  });
  const folded = await CatalogueIds.from(all as string[]);
  await folded.index();
  return folded;
}

function foldManifest(
  manifest: Manifest,
  eligible: FilterIndex,
  tensors: ReadonlyMap<string, Tensor>,
  items: number,
): Manifest {
  const shaped = (programs: Programs): Programs => ({
    embedding: withShapes(programs.embedding, tensors),
    user: programs.user && withShapes(programs.user, tensors),
  });
  return {
    ...manifest,
    items,
    clusterRows: items / manifest.clusters,
    filter: eligible.manifest(),
    programs: shaped(manifest.programs),
    freshPrograms: manifest.freshPrograms && shaped(manifest.freshPrograms),
  };
}

/** The targets as they were, with what it takes to reach them now. */
function withRecall(manifest: Manifest, { index, recall }: Calibrated): Manifest {
  const firstRound = index.parts.firstRound as number;
  const rounds = (spec: ProgramSpec): ProgramSpec => ({
    ...spec,
    steps: spec.steps.map((step) =>
      step.op === 'ivf_search' ? { ...step, attributes: { ...step.attributes, first_round: firstRound } } : step,
    ),
  });
  const started = (programs: Programs): Programs => ({
    embedding: rounds(programs.embedding),
    user: programs.user && rounds(programs.user),
  });
  const target = manifest.recall?.target ?? null;
  return {
    ...manifest,
    probes: target === null ? manifest.probes : recall.clusters,
    recall: { ...recall, target },
    programs: started(manifest.programs),
    freshPrograms: manifest.freshPrograms && started(manifest.freshPrograms),
  };
}

/** The same program over tensors of other sizes; everything else follows from those when it is planned. */
function withShapes(spec: ProgramSpec, tensors: ReadonlyMap<string, Tensor>): ProgramSpec {
  const live = tensors.get('index.live') as Tensor;
  return {
    ...spec,
    constants: spec.constants.map((each) => ({ ...each, shape: [...(tensors.get(each.name)?.shape ?? each.shape)] })),
    inputs: spec.inputs.map((each) => (each.name === 'fresh.mainLive' ? { ...each, shape: [...live.shape] } : each)),
  };
}
