// A small catalogue in files of every format that the command line reads, and the weights of a reranker for it.
import { parquetWriteBuffer } from 'hyparquet-writer';
import { Random } from '../../lib/data/random.js';
import { writeNpy } from '../../lib/io/npy.js';
import { writeVecs } from '../../lib/io/vecs.js';
import { buildSafetensorsHeader, type TensorSpec } from '../../lib/snapshot/safetensors.js';
import type { tempFolder } from '../support/temp_folder.js';

export const ITEMS = 200;
export const DIMS = 8;

const random = new Random(5);
const vectors = Float32Array.from({ length: ITEMS * DIMS }, () => random.normal());
const small = Uint8Array.from({ length: ITEMS * DIMS }, () => random.integer(200));

/** Attributes of item i; `shelf` is an object, which no filter field can be. */
export const rows = Array.from({ length: ITEMS }, (_, i) => ({
  sku: `item-${i}`,
  number: 1000 + i,
  language: i % 3 === 0 ? 'en' : 'de',
  tags: i % 2 === 0 ? ['pop', 'rock'] : ['jazz'],
  year: i % 5 === 0 ? null : 1950 + (i % 60),
  shelf: { row: i },
}));

type Folder = Awaited<ReturnType<typeof tempFolder>>;

/** Writes all files; `path(name)` of the folder gives where. */
export async function writeFiles({ path, write }: Folder): Promise<void> {
  const shape = [ITEMS, DIMS];
  await writeNpy(path('items.npy'), { dtype: 'float32', shape, data: vectors });
  await writeVecs(path('items.fbin'), { dtype: 'float32', shape, data: vectors });
  await writeVecs(path('items.fvecs'), { dtype: 'float32', shape, data: vectors });
  await writeVecs(path('items.u8bin'), { dtype: 'uint8', shape, data: small });
  await writeVecs(path('items.bvecs'), { dtype: 'uint8', shape, data: small });
  await writeNpy(path('users.npy'), { dtype: 'float32', shape: [4, DIMS], data: vectors.slice(0, 4 * DIMS) });
  await writeNpy(path('ids.npy'), {
    dtype: 'int64',
    shape: [ITEMS],
    data: BigInt64Array.from({ length: ITEMS }, (_, i) => 2n ** 60n + BigInt(i)),
  });
  await writeNpy(path('features.npy'), {
    dtype: 'float32',
    shape: [ITEMS, 2],
    data: Float32Array.from({ length: ITEMS * 2 }, (_, i) => i % 7),
  });
  await write('items.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
  const cells = rows.map((row) => [row.sku, row.number, row.language, row.tags.join('|'), row.year ?? '']);
  await write('items.csv', ['sku,number,language,tags,year', ...cells].join('\n'));
  await write('items.parquet', parquet());
  await write('rerank.safetensors', overArch([3 * DIMS + 2, 4, 2]));
}

/** Ids, one field and the embeddings in one file. */
function parquet(): Uint8Array {
  const embedding = Array.from({ length: ITEMS }, (_, i) => Array.from(vectors.subarray(i * DIMS, (i + 1) * DIMS)));
  const schema = [
    { name: 'root', num_children: 3 },
    { name: 'sku', repetition_type: 'REQUIRED', type: 'BYTE_ARRAY', converted_type: 'UTF8' },
    { name: 'language', repetition_type: 'REQUIRED', type: 'BYTE_ARRAY', converted_type: 'UTF8' },
    { name: 'embedding', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', repetition_type: 'OPTIONAL', type: 'FLOAT' },
  ] as never;
  const columnData = [
    { name: 'sku', data: rows.map((row) => row.sku) },
    { name: 'language', data: rows.map((row) => row.language) },
    { name: 'embedding', data: embedding },
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData, schema }));
}

function overArch(sizes: readonly number[]): Uint8Array {
  const tensors = sizes.slice(1).flatMap((outputs, layer): [TensorSpec, Float32Array][] => {
    const inputs = sizes[layer] as number;
    const values = (length: number) => Float32Array.from({ length }, () => random.normal() / Math.sqrt(inputs));
    return [
      [{ name: `layers.${layer}.weight`, dtype: 'F32', shape: [outputs, inputs] }, values(outputs * inputs)],
      [{ name: `layers.${layer}.bias`, dtype: 'F32', shape: [outputs] }, values(outputs)],
    ];
  });
  const { header } = buildSafetensorsHeader(tensors.map(([spec]) => spec));
  return Buffer.concat([header, ...tensors.map(([, data]) => Buffer.from(data.buffer))]);
}
