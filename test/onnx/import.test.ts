// Imported networks beside onnxruntime's answers (models/make.py), and what is refused.
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { compile, publish, SilverlodeError } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { importOnnx } from '../../lib/onnx/index.js';
import { testDevice } from '../support/device.js';
import { tempFolder } from '../support/temp_folder.js';

const MODELS = path.join(import.meta.dirname, 'models');
const modelFile = (name: string) => path.join(MODELS, `${name}.onnx`);

interface Listed {
  [name: string]: { shape: number[]; data: number[] };
}

function answersOf(name: string): { inputs: Listed; outputs: Listed } {
  return JSON.parse(readFileSync(path.join(MODELS, `${name}.json`), 'utf8'));
}

const FUSED = {
  mlp: ['Gemm', 'Gemm', 'Gemm'],
  two_tower: [
    'Gather',
    'Gather',
    'Concat',
    'silverlode:linear',
    'Sigmoid',
    'Mul',
    'Gemm',
    'Shape',
    'silverlode:l2_normalize',
  ],
  erf_gelu_block: undefined,
  old_layer_norm: undefined,
  new_operators: undefined,
};

describe.each(Object.keys(FUSED) as (keyof typeof FUSED)[])('%s', (name) => {
  const { inputs, outputs } = answersOf(name);

  test('answers as onnxruntime does, at every batch size', async () => {
    const module = await importOnnx(modelFile(name));
    expect(Object.keys(module.inputs)).toEqual(Object.keys(inputs));
    const program = await compile(module, { inputs: module.inputs, maxBatch: 8, device: testDevice });
    const rows = Object.values(inputs)[0]?.shape[0] as number;
    for (const count of [rows, 1]) {
      const given = Object.fromEntries(
        Object.entries(inputs).map(([input, { shape, data }]) => {
          const some = data.slice(0, (data.length / (shape[0] as number)) * count);
          return [
            input,
            (module.inputs[input] as { dtype: string }).dtype === 'int32'
              ? Int32Array.from(some)
              : Float32Array.from(some),
          ];
        }),
      );
      const answered = await program.run(given);
      expect(Object.keys(answered)).toEqual(Object.keys(outputs));
      for (const [output, { shape, data }] of Object.entries(outputs)) {
        const found = (await answered[output]?.read()) as Float32Array;
        const wanted = data.slice(0, (data.length / (shape[0] as number)) * count);
        const largest = Math.max(...data.map(Math.abs));
        expect(found.length).toBe(wanted.length);
        for (const [i, value] of wanted.entries())
          expect(Math.abs((found[i] as number) - value)).toBeLessThanOrEqual(1e-5 * largest);
      }
    }
    program.dispose();
  });

  test('its parameters have the names and shapes of the file', async () => {
    const module = await importOnnx(new Uint8Array(readFileSync(modelFile(name))));
    for (const [parameter, { shape }] of module.parameters()) {
      expect(parameter).toMatch(/^[\w.]+$/);
      expect(shape.length).toBeGreaterThan(0);
    }
    const ops = FUSED[name];
    if (ops) expect(module.nodes.map(({ op }) => op)).toEqual(ops);
  });
});

test('parameters can be replaced by those of another training', async () => {
  const module = await importOnnx(modelFile('mlp'));
  expect([...module.parameters().keys()].sort()).toEqual(
    ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias', 'fc3.weight', 'fc3.bias'].sort(),
  );
  const state = new Map([...module.parameters()].map(([name, value]) => [name, value]));
  const zero = await importOnnx(modelFile('mlp'));
  for (const value of zero.parameters().values()) (value.view() as Float32Array).fill(0);
  module.loadStateDict(new Map([...state.keys()].map((name) => [name, zero.parameters().get(name)])) as never);
  const program = await compile(module, { inputs: module.inputs, device: testDevice });
  const { user } = await program.run({ x: new Float32Array(12).fill(3) });
  expect(Array.from((await user?.read()) as Float32Array)).toEqual(new Array(8).fill(0));
});

test('an imported tower serves requests by user', async () => {
  const tower = await importOnnx(modelFile('mlp'));
  const random = new Random(5);
  const data = Float32Array.from({ length: 200 * 8 }, () => random.normal());
  const ids = Int32Array.from({ length: 200 }, (_, item) => item);
  const model = await publish({ items: { ids, embeddings: { data, shape: [200, 8] } }, tower, device: testDevice });
  const { inputs, outputs } = answersOf('mlp');
  const x = Float32Array.from(inputs.x?.data.slice(0, 12) as number[]);
  const embedding = Float32Array.from(outputs.user?.data.slice(0, 8) as number[]);
  const [byUser, byEmbedding] = [
    await model.retrieve({ user: { x }, k: 20 }),
    await model.retrieve({ embedding, k: 20 }),
  ];
  expect(byUser.ids).toEqual(byEmbedding.ids);
  await model.close();
  const two = await importOnnx(modelFile('erf_gelu_block'));
  const refused = publish({ items: { ids, embeddings: { data, shape: [200, 8] } }, tower: two });
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field: 'tower' });
});

describe('external data', () => {
  /** The first tensor of the MLP moved to another file. */
  const moved = async (location: string, where = 'weights.bin') => {
    const folder = await tempFolder();
    const { parse } = await import('protobufjs');
    const schema = readFileSync('lib/onnx/proto.ts', 'utf8').split('`')[1] as string;
    const type = parse(schema, { keepCase: true }).root.lookupType('ModelProto');
    const model = type.decode(readFileSync(modelFile('mlp'))) as unknown as {
      graph: { initializer: { raw_data: Uint8Array; data_location: number; external_data: object[] }[] };
    };
    const [first] = model.graph.initializer as [(typeof model.graph.initializer)[0]];
    await writeFile(folder.path(where), Buffer.concat([Buffer.alloc(16), first.raw_data]));
    first.external_data = [
      { key: 'location', value: location },
      { key: 'offset', value: '16' },
    ];
    first.data_location = 1;
    first.raw_data = new Uint8Array(0);
    const path_ = folder.path('model.onnx');
    await writeFile(path_, type.encode(model as never).finish());
    return path_;
  };

  test('are read beside the model', async () => {
    const [own, outside] = [await importOnnx(modelFile('mlp')), await importOnnx(await moved('weights.bin'))];
    for (const [name, value] of own.parameters()) expect(outside.parameters().get(name)?.view()).toEqual(value.view());
  });

  test.each([
    ['another folder', '../weights.bin', 'CORRUPT_FILE'],
    ['an absolute path', '/etc/passwd', 'CORRUPT_FILE'],
    ['a file that is not there', 'nothing.bin', 'IO_ERROR'],
    ['no name', '', 'CORRUPT_FILE'],
  ])('are refused: %s', async (_, location, code) => {
    await expect(importOnnx(await moved(location))).rejects.toMatchObject({ code });
  });

  test('are refused of a model that came as bytes', async () => {
    const bytes = readFileSync(await moved('weights.bin'));
    await expect(importOnnx(bytes)).rejects.toMatchObject({ code: 'CORRUPT_FILE' });
  });
});

describe('refused', () => {
  test.each<[string, () => Promise<unknown>, string]>([
    ['a file that is not there', () => importOnnx(path.join(MODELS, 'nothing.onnx')), 'IO_ERROR'],
    ['what is no model', () => importOnnx(new Uint8Array([1, 2, 3, 255])), 'CORRUPT_FILE'],
    ['an empty file', () => importOnnx(new Uint8Array(0)), 'CORRUPT_FILE'],
    ['neither path nor bytes', () => importOnnx(3 as never), 'INVALID_ARGUMENT'],
  ])('%s', async (_, run, code) => {
    await expect(run()).rejects.toMatchObject({ code });
  });

  test('operators that have no counterpart, all of them at once', async () => {
    // "Relu" and "Tanh" of the file become operators that nobody knows.
    const text = readFileSync(modelFile('mlp'))
      .toString('latin1')
      .replaceAll('Relu', 'Rolu')
      .replaceAll('Tanh', 'Tonh');
    const error = await importOnnx(new Uint8Array(Buffer.from(text, 'latin1'))).catch(
      (failed: SilverlodeError) => failed,
    );
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', operators: ['Rolu', 'Tonh'] });
    expect((error as SilverlodeError).message).toContain('Rolu (Rolu_r1)');
  });

  test.each([1, 2, 3, 4])('damaged files, by seed %i: a typed error or a module, never a crash', async (seed) => {
    let state = seed;
    const random = (limit: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state % limit;
    };
    for (let round = 0; round < 150; round++) {
      const name = Object.keys(FUSED)[random(5)] as string;
      let bytes = new Uint8Array(readFileSync(modelFile(name)));
      if (random(4) === 0) bytes = bytes.slice(0, random(bytes.length));
      for (let flips = 0; flips < 1 + random(4); flips++) {
        const at = random(bytes.length || 1);
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random(8));
      }
      try {
        await importOnnx(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(SilverlodeError);
        expect((error as SilverlodeError).code).not.toBe('INTERNAL');
      }
    }
  });
});
