// Small published models and their files.
import { type PublishOptions, publish, type RetrievalModel } from 'silverlode';
import { Random } from '../../lib/data/random.js';

export const DIMS = 8;
export const ITEMS = 300;

/** A flat model with ids `first`, `first + 1`, …, so that answers tell which version gave them. */
export function smallModel(first = 0, options: Partial<PublishOptions> = {}): Promise<RetrievalModel> {
  const random = new Random(3);
  const { items, ...rest } = options;
  return publish({
    index: { clusters: 'flat' },
    ...rest,
    items: {
      ids: Int32Array.from({ length: ITEMS }, (_, i) => first + i),
      embeddings: { data: Float32Array.from({ length: ITEMS * DIMS }, () => random.normal()), shape: [ITEMS, DIMS] },
      attributes: { language: Array.from({ length: ITEMS }, (_, i) => (i % 3 === 0 ? 'en' : 'de')) },
      ...items,
    },
  });
}

/** Writes such a model. */
export async function writeModel(path: string, first = 0, options: Partial<PublishOptions> = {}): Promise<string> {
  await using model = await smallModel(first, options);
  await model.save(path);
  return path;
}

export function queryVector(seed = 1): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: DIMS }, () => random.normal());
}
