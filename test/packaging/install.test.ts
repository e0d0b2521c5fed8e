// What a user gets from a registry, with each package manager at its defaults and no compiler in reach.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Registry, startRegistry } from './registry.js';
import { HOSTS, installTools, program, root, run, succeed, tool } from './tools.js';

installTools();
const work = mkdtempSync(path.join(tmpdir(), 'silverlode-packaging-'));
const answer = { device: 'cpu', ids: ['a', 'd'] };
let registry: Registry;
let bin: string; // Node and the tools of a bare system, but no compiler

beforeAll(async () => {
  registry = await startRegistry(path.join(work, 'registry'));
  bin = path.join(work, 'bin');
  mkdirSync(bin);
  for (const name of ['sh', 'ls', 'uname', 'env', 'sed', 'dirname', 'basename', 'tar', 'getconf'])
    for (const folder of ['/usr/bin', '/bin'])
      if (existsSync(path.join(folder, name)) && !existsSync(path.join(bin, name)))
        symlinkSync(path.join(folder, name), path.join(bin, name));
});

afterAll(async () => {
  await registry?.close();
  rmSync(work, { recursive: true, force: true });
});

/** An empty project. The folder names have a space and letters beyond ASCII, as a user's may. */
function project(name: string, manifest: object = {}): string {
  const folder = path.join(work, 'проект ü', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, ...manifest }));
  cpSync(path.join(root, 'test/packaging/consumer'), folder, { recursive: true });
  return folder;
}

/** The environment of a user with this Node. */
function environment(node = process.execPath): NodeJS.ProcessEnv {
  const nodeBin = path.join(work, `node-${path.basename(path.resolve(node, '../..'))}`);
  mkdirSync(nodeBin, { recursive: true });
  if (!existsSync(path.join(nodeBin, 'node'))) symlinkSync(node, path.join(nodeBin, 'node'));
  return { ...registry.env, PATH: `${nodeBin}${path.delimiter}${bin}` };
}

/** The name of a manager, the Node it runs on, and its command line for `install silverlode`. */
const MANAGERS: readonly (readonly [string, string, () => string[]])[] = [
  ['npm 10', 'node22', () => [tool('npm10/bin/npm-cli.js'), 'install', 'silverlode']],
  ['npm 11', 'node24', () => [tool('npm11/bin/npm-cli.js'), 'install', 'silverlode']],
  ['npm 12', 'node26', () => [tool('npm12/bin/npm-cli.js'), 'install', 'silverlode']],
  ['pnpm', 'node26', () => [tool('pnpm/bin/pnpm.mjs'), 'add', 'silverlode']],
];

describe.each(MANAGERS)('%s', (name, node, command) => {
  let folder: string;
  let env: NodeJS.ProcessEnv;
  beforeAll(() => {
    folder = project(name);
    env = environment(program(`${node}/bin/node`));
  });

  test('installs without a word about scripts', () => {
    const { output } = succeed('node', command(), { cwd: folder, env });
    expect(output).not.toMatch(/script|approve|gyp|EBADPLATFORM/i);
    const modules = path.join(folder, 'node_modules/silverlode');
    expect(readdirSync(modules)).not.toContain('build');
  });

  test.each(['esm.mjs', 'commonjs.cjs'])('%s', (script) => {
    expect(JSON.parse(succeed('node', [script], { cwd: folder, env }).stdout)).toEqual(answer);
  });
});

describe('yarn', () => {
  const yarn = () => tool('@yarnpkg/cli-dist/bin/yarn.js');
  test.each(['node-modules', 'pnp'])('%s', (linker) => {
    const folder = project(`yarn ${linker}`);
    const env = environment(program('node24/bin/node'));
    writeFileSync(path.join(folder, '.yarnrc.yml'), `nodeLinker: ${linker}\n`);
    writeFileSync(path.join(folder, 'yarn.lock'), '');
    succeed('node', [yarn(), 'add', 'silverlode'], { cwd: folder, env });
    for (const script of ['esm.mjs', 'commonjs.cjs']) {
      const { stdout } = succeed('node', [yarn(), 'node', script], { cwd: folder, env });
      expect(JSON.parse(stdout)).toEqual(answer);
    }
  });
});

test('bun installs and runs', () => {
  const folder = project('bun');
  const bun = program('@oven/bun-linux-x64/bin/bun');
  succeed(bun, ['add', 'silverlode'], { cwd: folder, env: environment() });
  for (const script of ['esm.mjs', 'commonjs.cjs'])
    expect(JSON.parse(succeed(bun, [script], { cwd: folder, env: environment() }).stdout)).toEqual(answer);
});

describe('an installation', () => {
  let folder: string;
  let env: NodeJS.ProcessEnv;
  const npm = (...args: string[]) => [tool('npm12/bin/npm-cli.js'), ...args];

  beforeAll(() => {
    folder = project('an installation');
    env = environment(program('node26/bin/node'));
    succeed('node', npm('install', 'silverlode'), { cwd: folder, env });
  });

  test.each(HOSTS)('in %s: save, load, filter, worker thread, exit', (_, command) => {
    const [host, ...args] = command();
    const { stdout } = succeed(host as string, [...args, 'host.mjs'], { cwd: folder, env });
    expect(JSON.parse(stdout)).toEqual({ ids: ['a', 'd'], fromWorker: ['c'], later: ['a', 'd'] });
  });

  test('in a folder that nobody may write', () => {
    const copy = path.join(work, 'read only');
    cpSync(folder, copy, { recursive: true });
    succeed('chmod', ['-R', 'a-w', copy]);
    try {
      expect(succeed('node', ['ten_lines.mjs'], { cwd: copy, env }).stdout).toBe("[ 'a', 'd' ]\n");
    } finally {
      succeed('chmod', ['-R', 'u+w', copy]);
    }
  });

  test('bundled by esbuild, the package external', () => {
    const esbuild = program('@esbuild/linux-x64/bin/esbuild');
    const options = ['--bundle', '--platform=node', '--format=esm', '--external:silverlode', '--outfile=bundle.mjs'];
    succeed(esbuild, ['ten_lines.mjs', ...options], { cwd: folder });
    expect(succeed('node', ['bundle.mjs'], { cwd: folder, env }).stdout).toBe("[ 'a', 'd' ]\n");
  });

  test('without its optional packages, serving works up to HTTP, which names what to install', () => {
    const { ids, refusal } = JSON.parse(succeed('node', ['serve.mjs'], { cwd: folder, env }).stdout);
    expect(ids).toEqual(['a', 'b']);
    expect(refusal).toEqual({
      code: 'INVALID_ARGUMENT',
      message: 'fastify is not installed; serving needs it: npm install fastify @fastify/swagger prom-client',
    });
    const main = path.join(folder, 'node_modules/silverlode/dist/cli/main.js');
    const { status, output } = run('node', [main, 'serve', 'none.silverlode'], { cwd: folder, env });
    expect({ status, output }).toEqual({ status: 1, output: `error: ${refusal.message} (INVALID_ARGUMENT)\n` });
  });

  test.each([
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
    ['node16', 'node16'],
  ])('types under module %s, resolution %s, with every declaration checked', (module, moduleResolution) => {
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    const typeRoots = path.join(root, 'node_modules/@types');
    const flags = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2023', '--types', 'node'];
    const modules = ['--module', module, '--moduleResolution', moduleResolution, '--typeRoots', typeRoots];
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    succeed(process.execPath, [tsc, ...flags, ...modules, 'typed.ts', 'typed_serve.ts'], { cwd: folder });
  });
});

describe('an installation that lacks the package of this platform', () => {
  test.each(['npm10', 'npm11', 'npm12'])('%s: one sentence, whose command repairs it', (npm) => {
    const folder = project(`omitted ${npm}`);
    const env = environment(program('node24/bin/node'));
    const cli = tool(`${npm}/bin/npm-cli.js`);
    succeed('node', [cli, 'install', '--omit=optional', 'silverlode'], { cwd: folder, env });
    const { status, output } = run('node', ['ten_lines.mjs'], { cwd: folder, env });
    expect(status).not.toBe(0);
    const [, reason, command] = /silverlode: no native binary: (.+)\. Run: npm (.+)/.exec(output) ?? [];
    expect(reason, output).toBe('the package @silverlode/linux-x64 is not installed');
    succeed('node', [cli, ...(command as string).split(' ')], { cwd: folder, env });
    expect(succeed('node', ['ten_lines.mjs'], { cwd: folder, env }).stdout).toBe("[ 'a', 'd' ]\n");
  });

  test('a lockfile made on another platform', () => {
    const env = environment(program('node24/bin/node'));
    const cli = tool('npm11/bin/npm-cli.js');
    const theirs = project('theirs');
    succeed('node', [cli, 'install', '--os=darwin', '--cpu=arm64', 'silverlode'], { cwd: theirs, env });
    const ours = project('ours');
    for (const file of ['package.json', 'package-lock.json']) cpSync(path.join(theirs, file), path.join(ours, file));
    succeed('node', [cli, 'ci'], { cwd: ours, env });
    expect(succeed('node', ['ten_lines.mjs'], { cwd: ours, env }).stdout).toBe("[ 'a', 'd' ]\n");
  });

  test('npx silverlode build compiles where a compiler is', () => {
    const folder = project('built');
    const cli = tool('npm11/bin/npm-cli.js');
    const node = environment(program('node24/bin/node'));
    const env = { ...node, PATH: `${node.PATH}${path.delimiter}${process.env.PATH}` };
    succeed('node', [cli, 'install', '--omit=optional', 'silverlode'], { cwd: folder, env });
    succeed('node', [tool('npm11/bin/npx-cli.js'), 'silverlode', 'build'], { cwd: folder, env });
    expect(succeed('node', ['ten_lines.mjs'], { cwd: folder, env }).stdout).toBe("[ 'a', 'd' ]\n");
  });
});
