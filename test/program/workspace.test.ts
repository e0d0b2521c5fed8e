// Memory is planned for a bucket's capacities. A smaller run must not need more: an op that would is stopped by INTERNAL.
import { describe, expect, test } from 'vitest';
import { Module } from '../../lib/nn/module.js';
import { OverArch } from '../../lib/nn/over_arch.js';
import { topK } from '../../lib/ops/index.js';
import { compile } from '../../lib/program/compile.js';
import type { SymbolicTensor } from '../../lib/program/trace.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { Lambda } from './lambda.js';
import { bits, randomFloats, randomTensor } from './modules.js';

class Rerank extends Module {
  constructor(
    readonly arch: OverArch,
    readonly embeddings: Tensor,
  ) {
    super();
  }

  forward({ user, ids }: { user: SymbolicTensor; ids: SymbolicTensor }): SymbolicTensor {
    return this.arch.forward(user, { embeddings: this.embeddings, embeddingIndex: ids });
  }
}

describe('workspace of a bucket serves every smaller run', () => {
  test('of top_k, however rows are cut among many threads', async () => {
    const x = { dtype: 'float32', shape: ['batch', 'n'] } as const;
    const module = new Lambda(({ x: scores }) => topK(scores, { k: 'k' }).scores);
    const program = await compile(module, { inputs: { x }, threads: 16, maxBatch: 16 });
    const values = randomFloats(16 * 65_536, 1);
    for (let batch = 1; batch <= 16; batch++) {
      for (const n of [33_000, 65_536]) {
        const { shape } = await program.run({ x: values.slice(0, batch * n) }, { dims: { k: 10, batch } });
        expect(shape).toEqual([batch, 10]);
      }
    }
    program.dispose();
  });

  test('of over_arch, whose requests are folded in groups', async () => {
    const dims = 24;
    const arch = new OverArch({ dims, hidden: [32, 16], tasks: ['click'] });
    const embeddings = randomTensor([1000, dims], 2);
    const inputs = {
      user: { dtype: 'float32', shape: ['batch', 1, dims] },
      ids: { dtype: 'int32', shape: ['batch', 'candidates'] },
    } as const;
    const program = await compile(new Rerank(arch, embeddings), { inputs, threads: 1 });
    const users = randomFloats(8 * dims, 3);
    const ids = Int32Array.from({ length: 8 * 1024 }, (_, i) => (i * 7) % 1000);
    for (const candidates of [1, 27, 28, 200, 236, 513, 1024]) {
      const run = (from: number, to: number) =>
        program.run({
          user: users.slice(from * dims, to * dims),
          ids: Int32Array.from({ length: (to - from) * candidates }, (_, i) => ids[from * candidates + i] as number),
        });
      const together = bits(await run(0, 7));
      for (let b = 0; b < 7; b++) {
        expect(bits(await run(b, b + 1))).toEqual(together.subarray(b * candidates, (b + 1) * candidates));
      }
    }
    program.dispose();
  });
});
