// Modules with weights that PyTorch trained, compiled, against what PyTorch computed.
import { describe, expect, test } from 'vitest';
import { dataFolder } from '../../lib/data/data_folder.js';
import { loadGoodbooks } from '../../lib/data/goodbooks.js';
import { EmbeddingBag, Linear } from '../../lib/nn/index.js';
import { call, Module } from '../../lib/nn/module.js';
import { compile } from '../../lib/program/compile.js';
import type { SymbolicTensor } from '../../lib/program/trace.js';
import { readSafetensors } from '../../lib/snapshot/state_dict.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { expectClose } from '../support/close.js';

/** The mean of the books that somebody liked, through two layers. */
class HistoryTower extends Module {
  readonly embedding = new EmbeddingBag(10_000, 64, { mode: 'mean' });
  readonly layers = [new Linear(64, 128, { activation: 'relu' }), new Linear(128, 64)] as const;

  forward({ ids, offsets }: { ids: SymbolicTensor; offsets: SymbolicTensor }): SymbolicTensor {
    const liked = call('embedding', this.embedding, ids, offsets);
    return call('layers.1', this.layers[1], call('layers.0', this.layers[0], liked));
  }
}

describe.skipIf(!dataFolder())('the history tower of goodbooks-10k', () => {
  test('computes what PyTorch did, together and alone', async () => {
    const { models } = await loadGoodbooks();
    const { historyIds, historyOffsets, tower } = models.reference;
    const module = new HistoryTower();
    module.loadStateDict(await readSafetensors(models.towerPath));
    const program = await compile(module, {
      inputs: { ids: { dtype: 'int32', shape: ['ids'] }, offsets: { dtype: 'int32', shape: ['batch'] } },
    });
    const users = historyOffsets.length - 1;
    const all = (await program.run({
      ids: historyIds,
      offsets: historyOffsets.subarray(0, users),
    })) as Tensor<'float32'>;
    expect(all.shape).toEqual([users, 64]);
    expectClose(all.view(), tower.data, { absolute: 1e-5 });
    for (const user of [0, 7, users - 1]) {
      const ids = historyIds.subarray(historyOffsets[user], historyOffsets[user + 1]);
      const alone = await program.run({ ids, offsets: [0] });
      expect(alone.view()).toEqual(all.view().subarray(64 * user, 64 * user + 64));
    }
    program.dispose();
  });
});
