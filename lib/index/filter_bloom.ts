// The Bloom signature of all terms without a slice, and their exact form by row.
import { termHash } from '../filter/bloom_hash.js';
import { bloomBuild } from '../ops/bloom_build.js';
import { bloomLayout } from '../ops/bloom_layout.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import type { FieldColumn } from './attributes.js';
import { entriesByRow } from './filter_rows.js';
import type { Pace } from './pace.js';

const BLOCK_ROWS = 512;

/** See native/ops/filter_index.h. */
export interface BloomTensors {
  bloom: Tensor<'int64'>;
  bloomOffsets: Tensor<'int64'>;
  termOffsets: Tensor<'int32'>;
  terms: Tensor<'int32'>;
}

/** Builds both; where every term has a slice, there is nothing in them. */
export async function buildBloom(
  fields: readonly FieldColumn[],
  termOf: readonly Int32Array[],
  sliceOfTerm: Int32Array,
  ordinals: Int32Array,
  options: { bitsPerTerm: number; hashes: number },
  pace: Pace,
): Promise<BloomTensors> {
  if (!sliceOfTerm.includes(-1)) {
    return {
      bloom: Tensor.allocate('int64', [0, 8]),
      bloomOffsets: Tensor.allocate('int64', [ordinals.length / BLOCK_ROWS + 1]),
      termOffsets: Tensor.allocate('int32', [0]),
      terms: Tensor.allocate('int32', [0]),
    };
  }
  const hashes = new BigInt64Array(sliceOfTerm.length);
  const sources = [];
  for (const [f, field] of fields.entries()) {
    const entryOf = (termOf[f] as Int32Array).map((term) => (sliceOfTerm[term] === -1 ? term : -1));
    sources.push({ field, entryOf, present: -1 });
    await pace.over(entryOf.length, (begin, end) => {
      for (let code = begin; code < end; code++) {
        const term = entryOf[code] as number;
        if (term >= 0 && field.kind === 'terms') hashes[term] = termHash(f, field.texts[code] as string);
      }
    });
  }
  const rows = await entriesByRow(sources, ordinals, pace);
  const layout = (await bloomLayout<Tensor>(rows.offsets, { bitsPerTerm: options.bitsPerTerm })) as Tensor<'int64'>;
  const positions = Number(layout.view().at(-1));
  const bloom = await bloomBuild<Tensor>(rows, tensor(hashes), layout, { hashes: options.hashes, positions });
  return { bloom: bloom as Tensor<'int64'>, bloomOffsets: layout, termOffsets: rows.offsets, terms: rows.terms };
}
