// The task as files, from which the services read what they need.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PYTHON, pythonScript } from './environment.js';
import type { Layer } from './network.js';
import { eligibility, FILTERS, type Task } from './task.js';

/**
 * Writes `networks.json` (sizes), `items.f32`, `<network>.<layer>.weight|bias.f32` and `filter<n>.u8`, one byte per item: filters are
 * evaluated for the services before the comparison begins. Then `tower.onnx` and `rerank.onnx`.
 */
export async function writeTask(task: Task, folder: string): Promise<void> {
  const { size, catalogue, tower, rerank } = task;
  const write = (name: string, data: Float32Array | Uint8Array) => writeFile(join(folder, name), data);
  await write('items.f32', catalogue.embeddings.data);
  for (const [network, layers] of Object.entries({ tower, rerank: rerank.layers })) {
    for (const [i, { weight, bias }] of layers.entries()) {
      await write(`${network}.${i}.weight.f32`, weight);
      await write(`${network}.${i}.bias.f32`, bias);
    }
  }
  for (const [n, filter] of FILTERS.entries()) await write(`filter${n}.u8`, eligibility(task, filter));
  const sizes = (layers: readonly Layer[]) => [layers[0]?.inputs, ...layers.map(({ outputs }) => outputs)];
  const { items, dims, k } = size;
  const clusters = Math.round(2 * Math.sqrt(items));
  const facts = {
    items,
    dims,
    k,
    clusters,
    filters: FILTERS.length,
    tower: sizes(tower),
    rerank: sizes(rerank.layers),
  };
  await writeFile(join(folder, 'networks.json'), JSON.stringify(facts));
  await promisify(execFile)(PYTHON, [pythonScript('export_networks.py'), folder]);
}
