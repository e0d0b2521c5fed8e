// Programs as files: what was compiled answers the same in another process, and no file does harm.
import { readFile, writeFile } from 'node:fs/promises';
import {
  compile,
  Program,
  publish,
  RetrievalModel,
  readSafetensors,
  SilverlodeError,
  type Tensor,
  tensor,
} from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { openDevice } from '../../lib/native/device.js';
import { Module } from '../../lib/nn/module.js';
import { linear } from '../../lib/ops/index.js';
import type { SymbolicTensor } from '../../lib/program/trace.js';
import { readModelFile, writeModelFile } from '../../lib/snapshot/model_file.js';
import { importLine, runScript } from '../support/child.js';
import { testDevice } from '../support/device.js';
import { tempFolder } from '../support/temp_folder.js';
import { bits, PICKER_INPUTS, Picker, randomFloats, Tower } from './modules.js';

const folder = await tempFolder();
const features = { dtype: 'float32', shape: ['batch', 12] } as const;
const SEED = 77;

async function saved(name: string, program: Program<unknown>): Promise<string> {
  const path = folder.path(`${name}.silverlode`);
  await program.save(path);
  return path;
}

describe('a program that is loaded', () => {
  test('gives the same bits, at every batch', async () => {
    using program = await compile(new Tower(), { inputs: { features }, maxBatch: 32 });
    using loaded = await Program.load<Tensor>(await saved('tower', program), { device: testDevice });
    expect(loaded.spec).toEqual(program.spec);
    for (const batch of [1, 3, 32]) {
      const input = { features: randomFloats(12 * batch, batch) };
      expect(bits(await loaded.run(input))).toEqual(bits(await program.run(input)));
    }
    await expect(loaded.run({ features: randomFloats(12 * 33, 1) })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  test('keeps nested inputs, named outputs, tensors without a name, and symbols', async () => {
    using program = await compile(new Picker(), { inputs: PICKER_INPUTS });
    using loaded = await Program.load(await saved('picker', program));
    const input = { 'user.id': randomFloats(8, 1), 'user.age': randomFloats(4, 2), context: randomFloats(8, 3) };
    const [expected, found] = [
      await program.run(input, { dims: { k: 3 } }),
      await loaded.run(input, { dims: { k: 3 } }),
    ];
    expect(Object.keys(found)).toEqual(['scores', 'best', 'ids']);
    for (const [name, value] of Object.entries(expected)) expect(found[name]?.view()).toEqual(value.view());
  });

  test('runs in another process, which has none of the classes', async () => {
    using program = await compile(new Tower(), { inputs: { features } });
    const path = await saved('elsewhere', program);
    const script = await folder.write(
      'run.mjs',
      `${importLine('Program')}
      const program = await Program.load('${path}');
      const output = await program.run({ features: new Float32Array(24).fill(0.5) });
      console.log(JSON.stringify({ shape: output.shape, values: [...output.view()] }));`,
    );
    const { code, output, errors } = runScript(script);
    expect(code, errors).toBe(0);
    const expected = await program.run({ features: new Float32Array(24).fill(0.5) });
    if (testDevice === 'cpu') expect(JSON.parse(output)).toEqual({ shape: [2, 2, 8], values: [...expected.view()] });
    else expect(JSON.parse(output).shape).toEqual([2, 2, 8]);
  });

  test('is the same file every time, and a safetensors file whose weights have their names', async () => {
    using program = await compile(new Tower(), { inputs: { features } });
    const [one, other] = [await saved('one', program), await saved('other', program)];
    expect((await readFile(one)).equals(await readFile(other))).toBe(true);
    using loaded = await Program.load(one);
    expect((await readFile(await saved('again', loaded))).equals(await readFile(one))).toBe(true);
    const state = readSafetensors(one);
    for (const [name, parameter] of new Tower().stateDict())
      expect(state.get(`constants.${name}`)?.shape).toEqual([...parameter.shape]);
  });

  test('tells a parameter apart that is called like a tensor without a name', async () => {
    const unnamed = tensor([1, 2], { shape: [1, 2] });
    class Both extends Module {
      readonly 'constant.0' = tensor([10, 20], { shape: [1, 2] });
      forward({ x }: { x: SymbolicTensor }) {
        return { a: linear(x, unnamed), b: linear(x, this['constant.0']) };
      }
    }
    expect([...new Both().stateDict().keys()]).toEqual(['constant.0']);
    using program = await compile(new Both(), { inputs: { x: { dtype: 'float32', shape: ['batch', 2] } } });
    using loaded = await Program.load(await saved('both', program));
    const { a, b } = await loaded.run({ x: [1, 1] });
    expect([a?.view()[0], b?.view()[0]]).toEqual([3, 30]);
  });
});

describe('a file that does not fit', () => {
  test('is refused by name', async () => {
    await using model = await publish({
      items: { ids: [1], embeddings: { data: new Float32Array(2).fill(1), shape: [1, 2] } },
    });
    const [other, program] = [folder.path('model.silverlode'), await compile(new Tower(), { inputs: { features } })];
    await model.save(other);
    const path = await saved('program', program);
    await expect(Program.load(other)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: /RetrievalModel\.load/,
    });
    await expect(RetrievalModel.load(path)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: /Program\.load/,
    });
    await expect(Program.load(folder.path('none'))).rejects.toMatchObject({ code: 'IO_ERROR' });
    await expect(Program.load(path, { maxBatch: 3 } as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(program.save(path, { sync: true } as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const reason = AbortSignal.abort();
    await expect(program.save(folder.path('aborted'), { signal: reason })).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(readFile(folder.path('aborted'))).rejects.toThrow();
  });

  test(`with a damaged byte is CORRUPT_FILE; seed ${SEED}`, async () => {
    const random = new Random(SEED);
    const bytes = await readFile(await saved('whole', await compile(new Tower(), { inputs: { features } })));
    for (let i = 0; i < 60; i++) {
      const damaged = Uint8Array.from(bytes);
      const at = random.integer(bytes.length);
      damaged[at] = (damaged[at] as number) ^ (1 << random.integer(8));
      const path = folder.path('damaged.silverlode');
      await writeFile(path, i % 5 === 0 ? bytes.subarray(0, at) : damaged);
      const error = await Program.load(path).catch((thrown: unknown) => thrown);
      expect((error as SilverlodeError).code).toMatch(/CORRUPT_FILE|UNSUPPORTED_VERSION/);
    }
  });

  test(`whose manifest was changed on purpose is an error or runs; seed ${SEED}`, async () => {
    const random = new Random(SEED);
    const device = openDevice({ device: 'cpu' });
    const tensors = await readModelFile(
      device,
      await saved('base', await compile(new Picker(), { inputs: PICKER_INPUTS })),
      true,
    );
    const text = new TextDecoder().decode(tensors.get('manifest')?.view() as Uint8Array);
    tensors.delete('manifest');
    const codes = new Map<string, number>();
    for (let i = 0; i < 250; i++) {
      const manifest = JSON.parse(text);
      mutate(manifest, random);
      const path = folder.path('mutated.silverlode');
      await writeModelFile(device, path, tensors, new TextEncoder().encode(JSON.stringify(manifest)));
      const outcome = await Program.load(path).then(
        async (program) => {
          program.dispose();
          return 'loaded';
        },
        (error: unknown) => {
          expect(error).toBeInstanceOf(SilverlodeError);
          return (error as SilverlodeError).code;
        },
      );
      expect(outcome).not.toBe('INTERNAL');
      codes.set(outcome, (codes.get(outcome) ?? 0) + 1);
    }
    expect(codes.size).toBeGreaterThan(2);
    device.dispose();
  });
});

/** Changes one value somewhere inside. */
function mutate(value: Record<string, unknown>, random: Random): void {
  const keys = Object.keys(value);
  const key = random.pick(keys);
  const inner = value[key];
  if (typeof inner === 'object' && inner !== null && Object.keys(inner).length > 0 && random.chance(0.85)) {
    mutate(inner as Record<string, unknown>, random);
    return;
  }
  const numbers = [-1, -7, 0, 1, 3, 2 ** 31, 2 ** 53, -(2 ** 62), 1.5, 1e300];
  value[key] = random.pick([...numbers, null, 'x', [], {}, true, 'top_k', 'float16']);
}
