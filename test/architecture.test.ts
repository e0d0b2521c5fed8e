// The rules of native/README.md, the direction of imports in lib, and one stem at every layer for every op.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { addon } from '../lib/native/addon.js';
import { membersOf, moduleImports } from './support/source.js';

const ROOT = path.join(import.meta.dirname, '..');
const LENGTH_BUDGET = 400;

/** Paths of files below a folder, from the root, with forward slashes. */
function filesIn(folder: string, pattern: RegExp): string[] {
  const absolute = path.join(ROOT, folder);
  if (!existsSync(absolute)) return [];
  const all = readdirSync(absolute, { recursive: true, encoding: 'utf8' });
  const files = all.map((file) => `${folder}/${file.split(path.sep).join('/')}`).filter((file) => pattern.test(file));
  return files.filter((file) => !file.includes('node_modules') && statSync(path.join(ROOT, file)).isFile());
}

const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const stems = (folder: string, suffix: string) =>
  filesIn(folder, /./)
    .filter((file) => file.endsWith(suffix) && path.posix.dirname(file) === folder)
    .map((file) => path.posix.basename(file, suffix))
    .sort();

describe('native includes', () => {
  /** What a folder may include, beside itself and the standard library; the longest match rules. */
  const MAY_INCLUDE: Readonly<Record<string, readonly string[]>> = {
    platform: [],
    core: [],
    ops: ['core'],
    backends: ['core', 'ops', 'platform'],
    'backends/math': ['core', 'ops'],
    'backends/cpu/simd': ['core', 'ops', 'backends/math', 'platform'],
    program: ['core', 'ops'],
    snapshot: ['core', 'platform'],
    binding: ['core', 'ops', 'backends', 'platform', 'program', 'snapshot'],
    emulation: [],
    tests: ['core', 'ops', 'backends', 'platform', 'program', 'snapshot', 'emulation'],
  };
  /** Headers of others, and the only folders that may know them. */
  const FOREIGN: readonly [RegExp, readonly string[]][] = [
    [/^(napi|node_api|js_native_api|uv|v8)/, ['binding']],
    [/^(cuda|cublas|nv)/, ['backends/cuda', 'emulation', 'tests/emulation', 'tests/cuda']],
    [/^(windows|unistd|fcntl|dlfcn|sched|sys\/)/, ['platform', 'tests', 'emulation', 'backends/cuda']], // elsewhere systems do not differ
    [/^(immintrin|arm_neon)/, ['backends/cpu/simd']],
    [/^g(test|mock)\//, ['tests']],
  ];
  const isBelow = (folders: readonly string[], file: string) => folders.some((folder) => file.startsWith(`${folder}/`));
  const folderOf = (file: string) =>
    Object.keys(MAY_INCLUDE)
      .filter((folder) => file.startsWith(`${folder}/`))
      .sort((a, b) => b.length - a.length)[0];

  const sources = filesIn('native', /\.(h|cpp|cu|cuh)$/).map((file) => file.slice('native/'.length));

  test.each(sources)('%s', (file) => {
    const own = folderOf(file);
    expect(own, 'a folder with rules').toBeDefined();
    const within = [own as string, ...(MAY_INCLUDE[own as string] as readonly string[])];
    for (const [, quote, header = ''] of read(`native/${file}`).matchAll(/^\s*#\s*include\s*([<"])([^>"]+)[>"]/gm)) {
      const foreign = FOREIGN.find(([pattern]) => pattern.test(header));
      if (foreign) expect(isBelow(foreign[1], file), `${header} in ${file}`).toBe(true);
      if (quote === '<') continue;
      const [, backend] = /^backends\/(cpu|cuda)\//.exec(file) ?? [];
      const other = backend === 'cpu' ? 'cuda' : 'cpu';
      if (backend) expect(header.startsWith(`backends/${other}/`), `${header} in ${file}`).toBe(false);
      expect(existsSync(path.join(ROOT, 'native', header)), `${header} is written from native/`).toBe(true);
      expect(isBelow(within, header), `${header} in ${file}`).toBe(true);
    }
  });
});

describe('imports in lib', () => {
  /**
   * native ← tensor ← program (trace, run) ← ops ← nn, filter, value, index ← retrieval ← serve, cli. `program/trace` is
   * all that ops and modules know of programs; `program/compile` names the type Module and no more.
   */
  const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
    native: [],
    tensor: ['native'],
    language: [],
    io: ['tensor'],
    data: ['io'],
    snapshot: ['native', 'tensor', 'io'],
    program: ['native', 'tensor', 'snapshot'],
    ops: ['native', 'tensor', 'program/trace'],
    filter: ['language'],
    value: ['language'],
    nn: ['tensor', 'program/trace', 'ops', 'value', 'data/random', 'snapshot'],
    index: ['native', 'tensor', 'program/trace', 'ops', 'nn', 'filter', 'data/random', 'snapshot'],
    retrieval: ['native', 'tensor', 'program', 'ops', 'nn', 'filter', 'value', 'index', 'data', 'io', 'snapshot'],
    onnx: ['tensor', 'program', 'ops', 'nn'],
    feed: ['retrieval', 'tensor', 'io'],
    cluster: ['native', 'tensor', 'index', 'retrieval', 'snapshot'],
    serve: ['*'],
    cli: ['*'],
  };
  /** Edges against the order that exist for types alone. */
  const TYPES_ONLY: Readonly<Record<string, readonly string[]>> = {
    'native/addon': ['tensor/dtype'],
    'program/compile': ['nn/module'],
  };

  const modules = filesIn('lib', /\.ts$/).map((file) => {
    const name = file.slice('lib/'.length, -'.ts'.length);
    const imports = moduleImports(read(file))
      .filter(({ from }) => from.startsWith('.'))
      .map(({ from, typeOnly, lazy }) => {
        const target = path.posix.join(path.posix.dirname(name), from).replace(/\.js$/, '');
        return { target, typeOnly, lazy };
      });
    return { name, imports };
  });
  const inFolders = modules.filter(({ name }) => name.includes('/'));

  test.each(inFolders)('$name', ({ name, imports }) => {
    const folder = name.split('/')[0] as string;
    const allowed = MAY_IMPORT[folder];
    expect(allowed, `rules for lib/${folder}`).toBeDefined();
    const covers = (rules: readonly string[], target: string) =>
      rules.some((rule) => rule === '*' || target === rule || target.startsWith(`${rule}/`));
    for (const { target, typeOnly } of imports) {
      expect(existsSync(path.join(ROOT, 'lib', `${target}.ts`)), target).toBe(true);
      if (target === 'errors' || covers([folder, ...(allowed as readonly string[])], target)) continue;
      expect(typeOnly && covers(TYPES_ONLY[name] ?? [], target), `${name} → ${target}`).toBe(true);
    }
  });

  test('lib/errors.ts imports nothing, and nothing imports lib/index.ts', () => {
    expect(modules.find(({ name }) => name === 'errors')?.imports).toEqual([]);
    expect(modules.filter(({ imports }) => imports.some(({ target }) => target === 'index'))).toEqual([]);
  });

  test('no cycle among imports that exist at run time', () => {
    const graph = new Map(
      modules.map(({ name, imports }) => [
        name,
        imports.filter(({ typeOnly, lazy }) => !typeOnly && !lazy).map(({ target }) => target),
      ]),
    );
    const done = new Set<string>();
    const visit = (name: string, trail: readonly string[]) => {
      expect(trail, `cycle ${[...trail, name].join(' → ')}`).not.toContain(name);
      if (done.has(name)) return;
      for (const target of graph.get(name) ?? []) visit(target, [...trail, name]);
      done.add(name);
    };
    for (const name of graph.keys()) visit(name, []);
  });
});

test('typed arrays are told apart by isTypedArrayOf, which knows those of other realms', () => {
  const asked = filesIn('lib', /\.ts$/).filter((file) => /instanceof (\w*Array|DataView)\b/.test(read(file)));
  expect(asked).toEqual([]);
});

describe('every op has its place at every layer', () => {
  const names = addon().opNames();
  const SHARED = ['candidates', 'dispatch', 'filter_index', 'index'];

  /** Ops made of other kernels are plain C++. */
  const cudaFile = (op: string) => {
    const plain = `native/backends/cuda/${op}.cpp`;
    return existsSync(path.join(ROOT, plain)) ? plain : `native/backends/cuda/${op}.cu`;
  };

  test.each(names)('%s', (op) => {
    const files = [
      `native/ops/${op}.h`,
      `native/ops/${op}.cpp`,
      ...(op === 'reshape' ? [] : [`native/backends/cpu/${op}.cpp`, cudaFile(op)]), // a view: nothing runs
      `lib/ops/${op}.ts`,
      `test/cases/${op}.ts`,
      ...(op === 'kmeans_seed' ? [] : [`test/reference/${op}.ts`]), // random: its properties are tested
      `test/ops/${op}.test.ts`,
    ];
    expect(files.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([]);
    expect(read('lib/ops/index.ts')).toContain(`'./${op}.js'`);
  });

  const nativeTests = (folder: string) => stems(folder, '_test.cpp').map((stem) => read(`${folder}/${stem}_test.cpp`));
  const cpuTests = nativeTests('native/tests').join();
  const cudaTests = nativeTests('native/tests/cuda').join();

  test.each(names.filter((op) => op !== 'reshape'))('%s is run by native tests of both backends', (op) => {
    const type = /struct (\w+) \{\s+static constexpr const char\* kName/.exec(read(`native/ops/${op}.h`))?.[1];
    expect(cpuTests).toMatch(new RegExp(`\\bentry<${type}>\\(\\)`));
    expect(cudaTests).toMatch(new RegExp(`(?<!cpu::)\\bentry<${type}>\\(\\)`));
  });

  test('and no layer has an op that the addon lacks', () => {
    const declared = stems('native/ops', '.h').filter((stem) => /kName = "/.test(read(`native/ops/${stem}.h`)));
    expect(declared).toEqual(names);
    expect(stems('lib/ops', '.ts').filter((stem) => !SHARED.includes(stem))).toEqual(names);
    expect(stems('test/ops', '.test.ts')).toEqual(names);
  });
});

describe('the addon is what lib/native/addon.ts says', () => {
  const contract = read('lib/native/addon.ts');
  const exported = addon() as unknown as Record<string, { prototype: object }>;

  test('its exports', () => {
    const names = Object.keys(exported).filter((name) => name !== 'path'); // which the loader adds
    expect(names.sort()).toEqual(membersOf(contract, 'NativeAddon').sort());
  });

  test.each(['NativeTensor', 'NativeDevice', 'NativeProgram', 'NativeFile', 'CancelFlag'])('members of %s', (name) => {
    const members = Object.getOwnPropertyNames(exported[name]?.prototype).filter((member) => member !== 'constructor');
    expect(members.sort()).toEqual(membersOf(contract, name).sort());
  });
});

test(`no file is longer than ${LENGTH_BUDGET} lines`, () => {
  const folders = ['native', 'lib', 'test', 'bench', 'examples'];
  const files = folders.flatMap((folder) => filesIn(folder, /\.(ts|mts|cts|js|mjs|cjs|h|cpp|cu|cuh)$/));
  expect(files.length).toBeGreaterThan(300);
  expect(files.filter((file) => read(file).split('\n').length - 1 > LENGTH_BUDGET)).toEqual([]);
});
