// The CUDA plugin: opened late, and whatever is in its place, the package loads and the CPU works.
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { DeviceInfo } from 'silverlode';
import { expect, test } from 'vitest';
import { importLine, runScript } from '../support/child.js';
import { plugin } from '../support/plugin.js';
import { tempFolder } from '../support/temp_folder.js';

const release = fileURLToPath(new URL('../../build/Release/', import.meta.url));
const folder = await tempFolder();
const script = await folder.write(
  'devices.mjs',
  `${importLine('devices, ops, tensor, compile, Module')}
  const { scores } = await ops.topK(tensor([1, 3, 2]), { k: 1 });
  const [, gpu] = devices();
  const code = await ops.l2Normalize(tensor([3, 4])).then(() => tensor([1], { device: 'cuda' })).then(() => 'works', ({ code }) => code);
  console.log(JSON.stringify({ gpu, cpu: scores.view()[0], code }));`,
);

/** What a process says of the GPU whose plugin is the file. */
function ask(file: string, emulation = ''): { gpu: DeviceInfo; cpu: number; code: string } {
  const env = { SILVERLODE_CUDA_PLUGIN: file, SILVERLODE_EMULATION: emulation };
  const { code, output, errors } = runScript(script, { env });
  expect(code, errors).toBe(0);
  return JSON.parse(output);
}

test('the emulated plugin says what it is', () => {
  const { gpu, cpu, code } = ask(plugin);
  expect(gpu).toMatchObject({ id: 'cuda:0', available: true, emulated: true });
  expect(gpu.name).toMatch(/emulation/);
  expect(gpu.computeCapability).toMatch(/^\d+\.\d$/);
  expect([cpu, code]).toEqual([3, 'works']);
});

test.each([
  ['absent', () => folder.path('absent.so'), /which does not exist/],
  ['no library', () => folder.write('text.so', 'not a library'), /not a shared library/],
  ['cut off', async () => folder.write('cut.so', (await readFile(plugin)).subarray(0, 4000)), /cut off/],
  ['for another processor', foreign, /another platform/],
  ['another library', () => `${release}silverlode.node`, /not a CUDA plugin/],
  [
    'of another version',
    () => compiled('old', 'static int old[64] = {99}; int *silverlode_cuda_plugin() { return old; }'),
    /another version/,
  ],
  ['without a table', () => compiled('empty', 'void *silverlode_cuda_plugin() { return 0; }'), /not a CUDA plugin/],
])('%s: a reason, and the CPU works', async (_, file, reason) => {
  const { gpu, cpu, code } = ask(await file());
  expect(gpu).toMatchObject({ id: 'cuda:0', available: false });
  expect(gpu.reason).toMatch(reason);
  expect([cpu, code]).toEqual([3, 'DEVICE_UNAVAILABLE']);
});

test('no device: a reason, and the CPU works', () => {
  const { gpu, cpu, code } = ask(plugin, 'fail=device');
  expect(gpu).toMatchObject({ available: false, reason: expect.stringMatching(/no NVIDIA driver|no CUDA device/) });
  expect([cpu, code]).toEqual([3, 'DEVICE_UNAVAILABLE']);
});

test("'auto' never takes an emulated device", async () => {
  const auto = await folder.write(
    'auto.mjs',
    `${importLine('compile, Module, ops')}
    const program = await compile(new (class extends Module { forward({ x }) { return ops.l2Normalize(x); } })(), {
      inputs: { x: { dtype: 'float32', shape: ['n', 2] } } });
    console.log((await program.run({ x: [3, 4] }, { outputs: 'device' })).device);`,
  );
  const { output } = runScript(auto, { env: { SILVERLODE_CUDA_PLUGIN: plugin } });
  expect(output.trim()).toBe('cpu');
});

test('is opened by the first question about a GPU, not by importing or by work on the CPU', async () => {
  const late = await folder.write(
    'late.mjs',
    `${importLine('devices, ops, tensor, setDefaultDevice')} import { readFileSync } from 'node:fs';
    const mapped = () => readFileSync('/proc/self/maps', 'utf8').includes('silverlode_cuda_emulated');
    await ops.l2Normalize(tensor([3, 4]));
    setDefaultDevice({ device: 'cpu' });
    const before = mapped();
    devices();
    console.log(before, mapped());`,
  );
  const { output } = runScript(late, { env: { SILVERLODE_CUDA_PLUGIN: plugin } });
  expect(output.trim()).toBe('false true');
});

/** The plugin as if built for another processor: the machine field of its ELF header. */
async function foreign(): Promise<string> {
  const bytes = await readFile(plugin);
  bytes.writeUInt16LE(bytes.readUInt16LE(18) === 183 ? 62 : 183, 18);
  return folder.write('foreign.so', bytes);
}

async function compiled(name: string, source: string): Promise<string> {
  const file = folder.path(`${name}.so`);
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', file], {
    input: source,
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  return file;
}
