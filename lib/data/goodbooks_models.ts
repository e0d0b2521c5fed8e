// Trained weights that come with goodbooks-10k, and what they must compute.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readNpyOf } from '../io/npy.js';
import { readVectors, type Vectors } from '../io/vectors.js';

/** A reranking network, a history tower, and reference values for both. */
export interface BookModels {
  /** safetensors file of the network over `[u (64), i (64), u*i (64), f (11)]`: `layers.0` to `layers.2`. */
  readonly overarchPath: string;
  /** What its outputs mean: `read` and `like`. */
  readonly tasks: readonly string[];
  /** safetensors file of the tower: `embedding`, `layers.0`, `layers.1`. */
  readonly towerPath: string;
  /** Item columns for the network, [items, 11], with their names. */
  readonly features: Vectors & { readonly names: readonly string[] };
  readonly reference: BookReference;
}

/** Inputs and outputs of the trained models, computed by PyTorch in float32. */
export interface BookReference {
  /** The users, one per row of all below. */
  readonly users: Int32Array;
  /** Candidate items, `candidatesPerUser` for each user. */
  readonly candidates: Int32Array;
  readonly candidatesPerUser: number;
  /** Network outputs per candidate, one per task. */
  readonly logits: Float32Array;
  /** Histories: row `r` owns `historyIds[historyOffsets[r]]` to `historyIds[historyOffsets[r + 1] - 1]`. */
  readonly historyIds: Int32Array;
  readonly historyOffsets: Int32Array;
  /** Tower outputs for these histories, [users, 64]. */
  readonly tower: Vectors;
}

/** Reads the folder `models`. The weights themselves are left to `readSafetensors`. */
export async function readModels(folder: string): Promise<BookModels> {
  const path = (name: string): string => join(folder, name);
  const description: { overarch: { tasks: string[] }; item_features: { names: string[] } } = JSON.parse(
    await readFile(path('models.json'), 'utf8'),
  );
  const candidates = await readNpyOf(path('ref_candidates.npy'), 'int32');
  return {
    overarchPath: path('overarch.safetensors'),
    tasks: description.overarch.tasks,
    towerPath: path('tower.safetensors'),
    features: { ...(await readVectors(path('item_features.npy'))), names: description.item_features.names },
    reference: {
      users: (await readNpyOf(path('ref_users.npy'), 'int32')).data,
      candidates: candidates.data,
      candidatesPerUser: candidates.shape[1] ?? 0,
      logits: (await readNpyOf(path('ref_logits.npy'), 'float32')).data,
      historyIds: (await readNpyOf(path('ref_history_ids.npy'), 'int32')).data,
      historyOffsets: (await readNpyOf(path('ref_history_offsets.npy'), 'int32')).data,
      tower: await readVectors(path('ref_tower.npy')),
    },
  };
}
