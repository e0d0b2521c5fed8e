// Folds a fresh segment into the main one: what a catalogue published from scratch, in the order of its items, would hold.
import { decodeFields } from '../../index/filter_decode.js';
import { FilterIndex } from '../../index/filter_index.js';
import { layOutRows } from '../../index/ivf_index.js';
import { joinFields } from '../../index/join_fields.js';
import { Pace } from '../../index/pace.js';
import { inPieces, type Progress, type ProgressEvent } from '../../index/progress.js';
import type { ProgramSpec } from '../../native/addon.js';
import { assignClusters } from '../../ops/assign_clusters.js';
import { gatherRows } from '../../ops/gather_rows.js';
import { Tensor, tensor } from '../../tensor/tensor.js';
import { CatalogueIds } from '../item_ids.js';
import type { ModelParts } from '../main_segment.js';
import type { Manifest, Programs } from '../manifest.js';
import type { ItemId } from '../types.js';
import type { Capture } from './capture.js';
import { bytesOf, isSet } from './live_bits.js';

/** Numbers computed between two turns of the event loop. */
const PIECE_NUMBERS = 2 ** 18;

/** Where every item of the new segment comes from; places in the fresh segment follow those of the main one. */
interface Sources {
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
 * Rows keep their int8 values and clusters; fresh ones go to their nearest centroid.
 *
 * @returns Parts with handles of their own.
 */
export async function fold(captured: Capture, progress: Progress, options: FoldOptions): Promise<ModelParts> {
  const { main: tensors, fresh, version } = captured;
  const { manifest } = version.main;
  const sources = await findSources(captured);
  progress.step('assign', 0, 1);
  const clusters = await assign(captured, sources);
  const layout = await layOutRows(clusters, manifest.clusters);
  const order = await sourceRows(layout.ordinals, sources);
  const ordinals = tensor(sources.ordinals, { dtype: 'int32' });
  const gathered = async (name: string, tail: string, index: Tensor<'int32'>) => {
    const table = tensors.get(name);
    return table && ((await gatherRows(table, index as Tensor, { tail: fresh.get(tail) })) as Tensor);
  };
  progress.step('rows', 0, 1);
  const replaced: Record<string, Tensor | undefined> = {
    'index.rows': await gathered('index.rows', 'rows', order),
    'index.rowScales': await gathered('index.rowScales', 'rowScales', order),
    'index.rowBias': await gathered('index.rowBias', 'rowBias', order),
    embeddings: await gathered('embeddings', 'embeddings', ordinals),
    features: await gathered('features', 'features', ordinals),
    'index.ordinals': tensor(layout.ordinals) as Tensor,
    'index.rowOf': tensor(layout.rowOf) as Tensor,
    'index.live': tensor(layout.live) as Tensor,
    'index.clusterBegin': tensor(layout.clusterBegin) as Tensor,
  };
  const eligible = await foldFilter(captured, sources, layout.ordinals, options);
  const ids = await foldIds(captured, sources);
  progress.step('rows', 1, 1);

  const kept = [...tensors].filter(([name]) => !/^(eligible|ids)\./.test(name));
  const all = new Map<string, Tensor>([
    ...kept.map(([name, each]): [string, Tensor] => [name, replaced[name] ?? each.reshape(each.shape)]),
    ...[...eligible.stateDict()].map(([name, each]): [string, Tensor] => [`eligible.${name}`, each]),
    ...(await ids.tensors()),
  ]);
  return { manifest: foldManifest(manifest, eligible, all, sources.ordinals.length), tensors: all, ids };
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

/** The cluster of every item. */
async function assign(
  { main: tensors, fresh, rows: freshRows }: Capture,
  { rows, main }: Sources,
): Promise<Int32Array> {
  const begin = (tensors.get('index.clusterBegin') as Tensor<'int32'>).view();
  const clusterOf = new Int32Array(tensors.get('index.rows')?.shape[0] as number);
  for (let cluster = 0; cluster + 1 < begin.length; cluster++)
    clusterOf.fill(cluster, begin[cluster], begin[cluster + 1]);
  const clusters = new Int32Array(rows.length);
  await inPieces(main, (first, end) => {
    for (let item = first; item < end; item++) clusters[item] = clusterOf[rows[item] as number] as number;
  });
  if (freshRows.length === 0 || begin.length === 2) return clusters;
  const picked = (name: string) =>
    gatherRows(fresh.get(name) as Tensor, tensor(freshRows, { dtype: 'int32' }) as Tensor);
  const vectors = await dequantised((await picked('rows')) as Tensor, (await picked('rowScales')) as Tensor);
  const centroids = await dequantised(
    tensors.get('index.centroids') as Tensor,
    tensors.get('index.centroidScales') as Tensor,
  );
  const nearest = await assignClusters(vectors, centroids);
  clusters.set((nearest.clusters as Tensor<'int32'>).view(), main);
  return clusters;
}

async function dequantised(rows: Tensor, scales: Tensor): Promise<Tensor> {
  const [count, width] = rows.shape as [number, number];
  const [from, scale] = [rows.view() as Int8Array, scales.view() as Float32Array];
  const made = Tensor.allocate('float32', rows.shape);
  const to = made.view();
  const work = (begin: number, end: number) => {
    for (let i = begin; i < end; i++) to[i] = (from[i] as number) * (scale[Math.floor(i / width)] as number);
  };
  await inPieces(count * width, work, PIECE_NUMBERS);
  return made as Tensor;
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
  return tensor(order, { dtype: 'int32' });
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

async function foldIds({ version, ids }: Capture, { ordinals, main }: Sources): Promise<CatalogueIds> {
  const all: ItemId[] = [];
  await inPieces(ordinals.length, (begin, end) => {
    for (let item = begin; item < end; item++)
      all.push(item < main ? version.main.ids.at(ordinals[item] as number) : (ids[item - main] as ItemId));
  });
  const folded = await CatalogueIds.from(all as string[]);
  await folded.prepareLookup();
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

/** The same program over tensors of other sizes; everything else follows from those when it is planned. */
function withShapes(spec: ProgramSpec, tensors: ReadonlyMap<string, Tensor>): ProgramSpec {
  const live = tensors.get('index.live') as Tensor;
  return {
    ...spec,
    constants: spec.constants.map((each) => ({ ...each, shape: [...(tensors.get(each.name)?.shape ?? each.shape)] })),
    inputs: spec.inputs.map((each) => (each.name === 'fresh.mainLive' ? { ...each, shape: [...live.shape] } : each)),
  };
}
