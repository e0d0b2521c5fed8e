// What a model is made of, for people and tools.
import type { FieldManifest } from '../index/filter_manifest.js';
import { NOT_ROTATED, type RotationFacts } from '../index/rotation.js';
import type { DType } from '../tensor/dtype.js';
import type { Manifest } from './manifest.js';
import { defaultCandidates } from './requests.js';
import type { Version } from './version.js';

/** What `RetrievalModel.describe` gives. */
export interface ModelDescription {
  /** Items that requests can find now. */
  items: number;
  dims: number;
  metric: Manifest['metric'];
  clusters: number;
  /** Whether every request scans all items. */
  flat: boolean;
  /** How items were centred and rotated before they became int8. */
  rotation: RotationFacts;
  /** Nearest clusters per head of requests that name none; with a recall target how many are expected. */
  probes: number;
  /** How recall targets are honoured; null where a number of clusters decides. */
  recall: Manifest['recall'] | null;
  /** Whether returned candidates are scored again by float rows. */
  rescored: boolean;
  /** Default candidates of a model that reranks or values; null for one that does neither and takes none. */
  candidates: number | null;
  /** Embeddings per user; null: any number. */
  heads: number | null;
  /** Tasks of the reranker, in order. */
  tasks: readonly string[];
  /** Names of the feature columns; empty where they have none. */
  columns: readonly string[];
  /** Request weights of the value formula and their defaults. */
  weights: readonly { name: string; default: number }[];
  /** Type of the ids that were published. */
  ids: Manifest['ids'];
  /** Names of the tower's inputs; null without a tower. */
  tower: readonly string[] | null;
  /** Attributes that filters can name. */
  fields: readonly FieldManifest[];
  /** Bytes of all tensors of the model. */
  bytes: number;
  /** Bytes of those tensors that the programs read, on the model's device. */
  deviceBytes: number;
  tensors: readonly { name: string; dtype: DType; shape: readonly number[]; bytes: number }[];
}

export function describeModel({ main, items }: Version): ModelDescription {
  const { dims, metric, clusters, flat, probes, recall = null, scored, heads, tasks, columns, weights } = main.manifest;
  const { tower, filter, ids, rotation = NOT_ROTATED } = main.manifest;
  const tensors = [...main.tensors].map(([name, { dtype, shape, nbytes }]) => ({ name, dtype, shape, bytes: nbytes }));
  return {
    items,
    dims,
    metric,
    clusters,
    flat,
    rotation,
    probes,
    recall,
    rescored: main.manifest.rescored ?? false,
    candidates: scored ? defaultCandidates(main.manifest) : null,
    heads,
    tasks,
    columns,
    weights,
    ids,
    tower: tower === null ? null : Object.keys(tower),
    fields: filter.fields,
    bytes: main.bytes,
    deviceBytes: main.runner.constantBytes,
    tensors,
  };
}
