// What the runtime or the system refuses reaches callers as a SilverlodeError with a code, never as a bare TypeError.
import { publish, RetrievalModel, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { importLine, runScript } from '../support/child.js';
import { expectCode } from '../support/ops.js';
import { findProgram } from '../support/program.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

/** An array whose buffer went to another thread. */
function lost<A extends ArrayBufferView>(array: A): A {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

const vectors = () => new Float32Array(4).fill(1);

test('arrays that lost their buffers', async () => {
  await expectCode('INVALID_ARGUMENT', () => tensor(lost(vectors())));
  await expectCode('INVALID_ARGUMENT', () => tensor(lost(vectors()), { shape: [0] }));
  expect(tensor(new Float32Array(0)).shape).toEqual([0]);
  const shape = [2, 2];
  const embeddings = { data: vectors(), shape };
  await expectCode('INVALID_ARGUMENT', () => publish({ items: { ids: lost(Int32Array.of(1, 2)), embeddings } }));
  await expectCode('SHAPE_MISMATCH', () =>
    publish({ items: { ids: [1, 2], embeddings: { data: lost(vectors()), shape } } }),
  );
  const bias = lost(new Float32Array(2));
  await expectCode('SHAPE_MISMATCH', () => publish({ items: { ids: [1, 2], embeddings }, index: { bias } }));
  const index = { bias: [0, 1] };
  await using model = await publish({ items: { ids: [1, 2], embeddings, attributes: { a: [1, 2] } }, index });
  const embedding = Float32Array.of(1, 0);
  await expectCode('INVALID_ARGUMENT', () => model.retrieve({ embedding, exclude: lost(Int32Array.of(1)) }));
  await expectCode('INVALID_ARGUMENT', () => model.retrieveSync({ embedding, exclude: lost(Int32Array.of(1)) }));
  await expectCode('SHAPE_MISMATCH', () => model.retrieve({ embedding: lost(Float32Array.of(1, 0)) }));
  await expectCode('INVALID_ARGUMENT', () => model.delete(lost(Int32Array.of(1))));
  await expectCode('SHAPE_MISMATCH', () => model.upsert({ ids: [1, 2], embeddings, bias: lost(new Float32Array(2)) }));
  await expectCode('SHAPE_MISMATCH', () => model.upsert({ ids: [1, 2], embeddings: { data: lost(vectors()), shape } }));
  await expectCode('SHAPE_MISMATCH', () => model.updateAttributes([1], { a: lost(Int32Array.of(1)) }));
});

test.skipIf(!findProgram('prlimit'))('a thread that the system refuses', async () => {
  const path = folder.path('threads.silverlode');
  await using model = await publish({ items: { ids: [1], embeddings: { data: vectors(), shape: [1, 4] } } });
  await model.save(path);
  await expect(RetrievalModel.load(path).then((loaded) => loaded.close())).resolves.toBeUndefined();
  const script = await folder.write(
    'threads.mjs',
    `${importLine('RetrievalModel, devices')}
     import { execFileSync } from 'node:child_process';
     devices();
     execFileSync('prlimit', ['--pid', String(process.pid), '--nproc=1:1']);
     if (process.getuid() === 0) process.setuid(65534); // root has no such limit
     console.log(await RetrievalModel.load(process.argv[2]).catch((error) => error.code + ' ' + error.name));`,
  );
  const { code, output, errors } = runScript(script, { args: [path] });
  expect([code, output, errors]).toEqual([0, 'DEVICE_UNAVAILABLE SilverlodeError\n', '']);
});
