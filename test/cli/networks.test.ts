// Networks from ONNX files on the command line.
import { describe, expect, test } from 'vitest';
import { writeNpy } from '../../lib/io/npy.js';
import { tempFolder } from '../support/temp_folder.js';
import { json, run, text } from './run.js';

const { path } = await tempFolder();

describe('import', () => {
  const MLP = 'test/onnx/models/mlp.onnx';

  test('describes an ONNX model', async () => {
    const described = await json('import', MLP);
    expect(described).toMatchObject({
      inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 12] }],
      outputs: ['user'],
      numbers: 24 * 12 + 24 + 16 * 24 + 16 + 8 * 16 + 8,
    });
    expect(await text('import', MLP)).toMatch(/Gemm x 3[\s\S]*fc1\.weight +float32 +24 x 12/);
    expect((await run('import', 'nothing.onnx')).code).toBe(1);
  });

  test('publishes one as the tower', async () => {
    const [items, out] = [path('tower.npy'), path('tower.silverlode')];
    await writeNpy(items, {
      dtype: 'float32',
      data: Float32Array.from({ length: 80 }, (_, i) => Math.sin(i)),
      shape: [10, 8],
    });
    await json('publish', '--embeddings', items, '--tower', MLP, '--out', out);
    const user = JSON.stringify({ x: Array.from({ length: 12 }, (_, i) => i) });
    expect((await json('query', out, '--user', user, '-k', 3)).ids).toHaveLength(3);
  });
});
