// Folds a fresh segment into the main one: what a catalogue published from scratch, in the order of its items, would hold.
import { decodeFields } from '../../index/filter_decode.js';
import { FilterIndex } from '../../index/filter_index.js';
import { layOutRows } from '../../index/ivf_index.js';
import { joinFields } from '../../index/join_fields.js';
import { Pace } from '../../index/pace.js';
import type { Progress, ProgressEvent } from '../../index/progress.js';
import type { ProgramSpec } from '../../native/addon.js';
import { assignClusters } from '../../ops/assign_clusters.js';
import { gatherRows } from '../../ops/gather_rows.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';
import { CatalogueIds } from '../item_ids.js';
import type { ModelParts } from '../main_segment.js';
import type { Manifest, Programs } from '../manifest.js';
import type { ItemId } from '../types.js';
import type { Capture } from './capture.js';
import { bytesOf, isSet } from './live_bits.js';

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
  const sources = findSources(captured);
  progress.step('assign', 0, 1);
  const clusters = await assign(captured, sources);
  const layout = layOutRows(clusters, manifest.clusters);
  const rowOf = (ordinal: number) => (ordinal < 0 ? -1 : (sources.rows[ordinal] as number));
  const order = tensor(Int32Array.from(layout.ordinals, rowOf), { dtype: 'int32' });
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
  const ids = foldIds(captured, sources);
  progress.step('rows', 1, 1);

  const kept = [...tensors].filter(([name]) => !/^(eligible|ids)\./.test(name));
  const all = new Map<string, Tensor>([
    ...kept.map(([name, each]): [string, Tensor] => [name, replaced[name] ?? each.reshape(each.shape)]),
    ...[...eligible.stateDict()].map(([name, each]): [string, Tensor] => [`eligible.${name}`, each]),
    ...ids.tensors(),
  ]);
  return { manifest: foldManifest(manifest, eligible, all, sources.ordinals.length), tensors: all };
}

function findSources({ version, main: tensors, rows: freshRows }: Capture): Sources {
  const { main } = version;
  const live = bytesOf(tensors.get('index.live') as Tensor);
  const own = Array.from(main.rowOf.keys()).filter((ordinal) => isSet(live, main.rowOf[ordinal] as number));
  const mainRows = tensors.get('index.rows')?.shape[0] as number;
  return {
    ordinals: Int32Array.from([...own, ...Array.from(freshRows, (row) => main.ids.length + row)]),
    rows: Int32Array.from([
      ...own.map((o) => main.rowOf[o] as number),
      ...Array.from(freshRows, (row) => mainRows + row),
    ]),
    main: own.length,
  };
}

/** The cluster of every item. */
async function assign(
  { main: tensors, fresh, rows: freshRows }: Capture,
  { rows, main }: Sources,
): Promise<Int32Array> {
  const begin = (tensors.get('index.clusterBegin') as Tensor<'int32'>).view();
  const clusters = new Int32Array(rows.length);
  let cluster = 0;
  // Ordinals do not ascend with rows, so clusters are looked up from the rows in their own order.
  const order = Array.from(rows.subarray(0, main).keys()).sort((a, b) => (rows[a] as number) - (rows[b] as number));
  for (const item of order) {
    while ((rows[item] as number) >= (begin[cluster + 1] as number)) cluster++;
    clusters[item] = cluster;
  }
  if (freshRows.length === 0 || begin.length === 2) return clusters;
  const picked = (name: string) =>
    gatherRows(fresh.get(name) as Tensor, tensor(freshRows, { dtype: 'int32' }) as Tensor);
  const vectors = dequantised((await picked('rows')) as Tensor, (await picked('rowScales')) as Tensor);
  const centroids = dequantised(
    tensors.get('index.centroids') as Tensor,
    tensors.get('index.centroidScales') as Tensor,
  );
  const nearest = await assignClusters(vectors, centroids);
  clusters.set((nearest.clusters as Tensor<'int32'>).view(), main);
  return clusters;
}

function dequantised(rows: Tensor, scales: Tensor): Tensor {
  const width = rows.shape[1] as number;
  const scale = scales.view() as Float32Array;
  const values = Float32Array.from(
    rows.view() as Int8Array,
    (value, i) => value * (scale[Math.floor(i / width)] as number),
  );
  return tensor(values, { shape: rows.shape }) as Tensor;
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
  const columns = joinFields(decoded, sources.main, fields, attributes);
  return FilterIndex.build(columns, {
    ...options,
    hashes: eligible.hashes || undefined,
    ordinals,
    items: sources.ordinals.length,
  });
}

function foldIds({ version, ids }: Capture, { ordinals, main }: Sources): CatalogueIds {
  const own = Array.from(ordinals.subarray(0, main), (ordinal) => version.main.ids.at(ordinal));
  return CatalogueIds.from([...own, ...ids] as ItemId[] as string[]);
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
