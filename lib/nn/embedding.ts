import { requireKnown } from '../errors.js';
import { embeddingBag } from '../ops/embedding_bag.js';
import { gatherRows } from '../ops/gather_rows.js';
import type { SymbolicTensor } from '../program/trace.js';
import type { Tensor } from '../tensor/tensor.js';
import { initialise } from './initialise.js';
import { Module } from './module.js';

/** A table of vectors, `weight` [vocabulary, dims]; int32 [...] ids → [..., dims]; a negative id gives zeros. */
export class Embedding extends Module {
  weight: Tensor;

  constructor(vocabulary: number, dims: number) {
    super();
    this.weight = initialise([vocabulary, dims], dims);
  }

  forward(ids: SymbolicTensor): SymbolicTensor {
    return gatherRows(this.weight, ids);
  }

  /** Rows come out as they lie in the table, and whatever follows reads float32. */
  protected override staysFloat32(): boolean {
    return true;
  }
}

/** Sum or mean of table rows per bag; see `ops.embeddingBag`. */
export class EmbeddingBag extends Module {
  weight: Tensor;

  constructor(
    vocabulary: number,
    dims: number,
    readonly options: { mode?: 'sum' | 'mean' } = {},
  ) {
    super();
    requireKnown('EmbeddingBag options', options, ['mode']);
    this.weight = initialise([vocabulary, dims], dims);
  }

  /** ids int32 [n], offsets int32 [bags] (where each bag starts) → float32 [bags, dims]. */
  forward(ids: SymbolicTensor, offsets: SymbolicTensor, weights?: SymbolicTensor): SymbolicTensor {
    return embeddingBag(this.weight, ids, offsets, { ...this.options, weights }) as unknown as SymbolicTensor;
  }
}
