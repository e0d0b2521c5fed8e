// Arrays of another realm, as test runners and node:vm hand them out: their classes are not those of this module.
import { runInNewContext } from 'node:vm';
import { compile, Module, nn, publish, type SymbolicTensor, type Tensor, tensor } from 'silverlode';
import { expect, test } from 'vitest';

type Arrays = Pick<typeof globalThis, 'Float32Array' | 'Int32Array' | 'BigInt64Array' | 'Uint16Array'>;
const there: Arrays = runInNewContext('({ Float32Array, Int32Array, BigInt64Array, Uint16Array })');
const floats = (...values: number[]) => there.Float32Array.from(values) as Float32Array<ArrayBuffer>;

test('are of other classes', () => {
  expect(floats(1) instanceof Float32Array).toBe(false);
});

test('models take them wherever they take arrays', async () => {
  const matrix = { data: floats(1, 0, 0, 1, 1, 1), shape: [3, 2] };
  const attributes = { year: there.Int32Array.of(1, 2, 3), price: floats(1, 2, 3) };
  for (const ids of [there.Int32Array.of(1, 2, 3), there.BigInt64Array.of(1n, 2n, 3n)] as (
    | Int32Array
    | BigInt64Array
  )[]) {
    await using model = await publish({
      items: { ids: ids as Int32Array, embeddings: matrix, attributes, features: { ...matrix, names: ['a', 'b'] } },
      value: 'score + a',
      queries: { data: floats(1, 0), shape: [1, 2] },
    });
    const { ids: found } = await model.retrieve({ embedding: floats(1, 0), filter: 'year:[1 TO 2]', exclude: ids });
    expect(found).toEqual([]);
    const { ids: all } = await model.retrieve({ embedding: [floats(1, 0)], k: 3 });
    expect([...all].sort()).toEqual([...ids].sort());
    const batch = await model.retrieveBatch({ embeddings: floats(1, 0, 0, 1), count: 2, k: 1 });
    expect([...batch.ids]).toEqual([ids[0], ids[2]]);
    await model.upsert({ ids, embeddings: matrix, attributes, features: matrix, bias: undefined });
    await model.updateFeatures(ids, { a: floats(1, 2, 9) });
    await model.updateFeatures(ids, matrix);
    await model.updateAttributes(ids, { year: there.Int32Array.of(4, 5, 6) });
    expect((await model.retrieve({ embedding: floats(1, 0), filter: 'year:6' })).ids).toEqual([ids[2]]);
    await model.tune({ queries: { data: floats(1, 0), shape: [1, 2] } });
    expect(await model.delete(ids)).toMatchObject({ items: 3 });
  }
});

test('tensors, programs and weights too', async () => {
  const made = tensor(there.Uint16Array.of(0x3c00), { dtype: 'float16' });
  expect([made.dtype, [...made.view()]]).toEqual(['float16', [0x3c00]]);
  expect(tensor(there.BigInt64Array.of(5n)).dtype).toBe('int64');
  class Twice extends Module {
    readonly linear = new nn.Linear(1, 1);
    forward({ x }: { x: SymbolicTensor }) {
      return this.linear.forward(x);
    }
  }
  const module = new Twice();
  module.loadStateDict(
    new Map([
      ['linear.weight', { dtype: 'float32', shape: [1, 1], data: floats(2) }],
      ['linear.bias', { dtype: 'float32', shape: [1], data: floats(0) }],
    ]),
  );
  const program = await compile(module, { inputs: { x: { dtype: 'float32', shape: ['batch', 1] } } });
  const output = (await program.run({ x: floats(1, 2) })) as Tensor<'float32'>;
  expect([...output.view()]).toEqual([2, 4]);
});
