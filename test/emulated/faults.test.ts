// What goes wrong on a device: memory that is short, calls that fail, kernels that fault.
import { describe, expect, test } from 'vitest';
import { importLine, runScript } from '../support/child.js';
import { plugin } from '../support/plugin.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();
const prelude = `${importLine('compile, devices, Module, ops, publish, RetrievalModel, tensor, SilverlodeError')}
  const code = (work) => Promise.resolve().then(work).then(() => 'ok', (error) => error instanceof SilverlodeError ? error.code : String(error));
  const Unit = class extends Module { forward({ x }) { return ops.l2Normalize(x); } };
  const unit = (options) => compile(new Unit(), { inputs: { x: { dtype: 'float32', shape: ['batch', 'dims'] } }, device: 'cuda', ...options });
  const say = (...all) => console.log(JSON.stringify(all));`;

/** What a script prints, with the emulated device set up so. */
async function run(emulation: string, body: string): Promise<unknown[]> {
  const path = await folder.write(`${Math.random()}.mjs`, `${prelude}\n${body}`);
  const env = { SILVERLODE_CUDA_PLUGIN: plugin, SILVERLODE_EMULATION: emulation };
  const { code, output, errors } = runScript(path, { env });
  expect(code, errors).toBe(0);
  return JSON.parse(output);
}

describe('device memory', () => {
  test('that is short is OUT_OF_MEMORY, and what was there goes on', async () => {
    const body = `
      const x = tensor(new Float32Array(1000), { shape: [10, 100], device: 'cuda' });
      const program = await unit();
      const big = new Float32Array(20 << 20);
      say(
        await code(() => tensor(big, { device: 'cuda' })),
        await code(() => tensor(big).to('cuda')),
        await code(() => ops.l2Normalize(tensor(big, { shape: [1 << 10, 20 << 10] }), { device: 'cuda' })),
        await code(() => program.run({ x: tensor(big, { shape: [64, 320 << 10] }) })),
        await code(() => program.run({ x })),
        await code(() => ops.l2Normalize(x)),
      );`;
    const [made, moved, , planned, ...after] = await run('memory=64M', body);
    expect([made, moved, planned]).toEqual(['OUT_OF_MEMORY', 'OUT_OF_MEMORY', 'OUT_OF_MEMORY']);
    expect(after).toEqual(['ok', 'ok']);
  });

  test('that a model does not fit in refuses it before work, with the numbers', async () => {
    const body = `
      const shape = [40_000, 128];
      const data = new Float32Array(shape[0] * shape[1]).map((_, i) => Math.sin(i));
      const ids = Array.from({ length: shape[0] }, (_, i) => i);
      const model = await publish({ items: { ids, embeddings: { data, shape } }, index: { clusters: 'flat' }, device: 'cpu' });
      await model.save('${folder.path('large.silverlode')}');
      const { deviceBytes } = model.describe();
      const error = await RetrievalModel.load('${folder.path('large.silverlode')}', { device: 'cuda' }).catch((error) => error);
      say(error.code, error.needed === deviceBytes, error.free < error.needed, (await model.retrieve({ embedding: data.slice(0, 128), k: 1 })).ids.length);`;
    expect(await run('memory=4M', body)).toEqual(['OUT_OF_MEMORY', true, true, 1]);
  });

  test('is given back: a thousand tensors and many programs fit where a few do', async () => {
    const body = `
      for (let i = 0; i < 1000; i++) tensor(new Float32Array(64 << 10), { device: 'cuda' }).dispose();
      for (let i = 0; i < 20; i++) {
        const program = await unit();
        await program.run({ x: tensor(new Float32Array(1 << 20), { shape: [64, 1 << 14] }) });
        program.dispose();
      }
      say('ok');`;
    expect(await run('memory=64M', body)).toEqual(['ok']);
  });
});

describe('a call that fails', () => {
  test.each(['malloc', 'host', 'copy', 'launch', 'create'])(
    '%s: a typed error at any point, and no crash',
    async (kind) => {
      const body = `
      const codes = new Set();
      for (let i = 0; i < 3; i++) {
        codes.add(await code(async () => {
          const program = await unit();
          for (let run = 0; run < 3; run++) await program.run({ x: tensor([3, 4], { shape: [1, 2], device: 'cuda' }) });
          program.dispose();
        }));
      }
      say(...codes);`;
      for (const nth of [1, 2, 3, 5, 8, 12]) {
        const codes = await run(`fail=${kind}:${nth}`, body);
        expect(
          codes.every((each) => ['ok', 'OUT_OF_MEMORY', 'CUDA_ERROR'].includes(each as string)),
          String(codes),
        ).toBe(true);
        expect(codes).toContain('ok');
      }
    },
  );
});

describe('a kernel that faults', () => {
  test('fails its run, then every call on that device; the CPU goes on', async () => {
    const body = `
      const program = await unit();
      const cpu = await unit({ device: 'cpu' });
      const x = [3, 4];
      const first = await code(() => program.run({ x }, { dims: { batch: 1 } }));
      const codes = await Promise.all([0, 1, 2].map(() => code(() => program.run({ x }, { dims: { batch: 1 } }))));
      say(
        first,
        ...codes,
        await code(() => tensor([1], { device: 'cuda' })),
        await code(() => unit()),
        await code(() => cpu.run({ x }, { dims: { batch: 1 } })),
        await code(() => ops.l2Normalize(tensor([3, 4]))),
      );
      program.dispose();`;
    const dead = 'CUDA_ERROR';
    expect(await run('fail=kernel:2', body)).toEqual(['ok', dead, dead, dead, dead, dead, 'ok', 'ok']);
  });
});
