// What a consumer gets: the packed tarball in an empty folder, with install scripts allowed and blocked, from ES modules,
// CommonJS and TypeScript. The tests build on each other, in order.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const consumer = fileURLToPath(new URL('consumer', import.meta.url));
const work = mkdtempSync(path.join(tmpdir(), 'silverlode-packaging-'));
const sentence =
  /^(?:SilverlodeError: )?silverlode: no native binary: .+\. With a C\+\+20 compiler and CMake installed, run: (node .+ --strict)$/m;
const answer = { device: 'cpu', ids: ['a', 'd'] };

let tarball: string;
let packed: string[];

interface Finished {
  status: number | null;
  stdout: string;
  output: string;
}

function run(command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv = process.env): Finished {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  return { status, stdout, output: stdout + stderr };
}

function succeed(command: string, args: string[], cwd: string): string {
  const { status, stdout, output } = run(command, args, cwd);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed with ${status}:\n${output}`);
  return stdout;
}

/** An empty project with the tarball installed. The folder name has a space, as a user's may. */
function install(name: string, ...options: string[]): string {
  const folder = path.join(work, name);
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  cpSync(consumer, folder, { recursive: true });
  succeed('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...options, tarball], folder);
  return folder;
}

const runScript = (folder: string, script: string) => JSON.parse(succeed(process.execPath, [script], folder));

beforeAll(() => {
  const [report] = JSON.parse(succeed('npm', ['pack', '--silent', '--json', '--pack-destination', work], root));
  tarball = path.join(work, report.filename);
  packed = report.files.map((file: { path: string }) => file.path);
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

test('the tarball holds what a build and a run need, and nothing else', () => {
  const expected = ['LICENSE', 'README.md', 'CMakeLists.txt', 'binding.gyp', 'dist/index.js', 'dist/index.d.ts'];
  expect(packed).toEqual(expect.arrayContaining(expected));
  expect(packed).toContain('native/install.cjs');
  const allowed = /^(dist|native)\/|^(package\.json|LICENSE|README\.md|CMakeLists\.txt|binding\.gyp)$/;
  expect(packed.filter((file) => !allowed.test(file) || /^native\/tests\/|\.node$|\.tsbuildinfo$/.test(file))).toEqual(
    [],
  );
});

describe('with install scripts allowed', () => {
  let folder: string;
  beforeAll(() => {
    folder = install('scripts allowed');
  });

  test('installing builds the native binary', () => {
    const build = path.join(folder, 'node_modules/silverlode/build');
    expect(existsSync(path.join(build, 'Release/silverlode.node'))).toBe(true);
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
    expect(JSON.parse(readFileSync(path.join(build, 'build_info.json'), 'utf8'))).toMatchObject({ version });
  });

  test('an ES module retrieves', () => expect(runScript(folder, 'esm.mjs')).toEqual(answer));

  test('a CommonJS script retrieves', () => expect(runScript(folder, 'commonjs.cjs')).toEqual(answer));

  test('without its optional packages, serving works up to HTTP, which names what to install', () => {
    const { ids, refusal } = runScript(folder, 'serve.mjs');
    expect(ids).toEqual(['a', 'b']);
    expect(refusal).toEqual({
      code: 'INVALID_ARGUMENT',
      message: 'fastify is not installed; serving needs it: npm install fastify @fastify/swagger prom-client',
    });
    const main = path.join(folder, 'node_modules/silverlode/dist/cli/main.js');
    const { status, output } = run(process.execPath, [main, 'serve', 'none.silverlode'], folder);
    expect({ status, output }).toEqual({ status: 1, output: `error: ${refusal.message} (INVALID_ARGUMENT)\n` });
  });

  // Types of optional packages are not there, which only --skipLibCheck forgives.
  test.each([['typed.ts'], ['typed_serve.ts', '--skipLibCheck']])(
    'types resolve under module nodenext, %s',
    (...args) => {
      const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
      const typeRoots = path.join(root, 'node_modules/@types');
      const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
      succeed(process.execPath, [tsc, ...flags, '--typeRoots', typeRoots, ...args], folder);
    },
  );
});

describe('with install scripts blocked', () => {
  let folder: string;
  beforeAll(() => {
    folder = install('scripts blocked', '--ignore-scripts');
  });

  const installer = 'node_modules/silverlode/native/install.cjs';

  test('without a compiler the install script says what to do and does not fail', () => {
    const bin = path.join(work, 'bin');
    mkdirSync(bin);
    symlinkSync(process.execPath, path.join(bin, 'node'));
    const { status, output } = run(process.execPath, [installer], folder, { PATH: bin });
    expect(output).toMatch(sentence);
    expect(status).toBe(0);
    expect(run(process.execPath, [installer, '--strict'], folder, { PATH: bin }).status).toBe(1);
  });

  test('SILVERLODE_SKIP_BUILD leaves without a word', () => {
    const { status, output } = run(process.execPath, [installer], folder, {
      ...process.env,
      SILVERLODE_SKIP_BUILD: '1',
    });
    expect({ status, output }).toEqual({ status: 0, output: '' });
  });

  test('using the package names one command, and after it the package works', () => {
    const { status, output } = run(process.execPath, ['esm.mjs'], folder);
    expect(status).not.toBe(0);
    const command = sentence.exec(output)?.[1];
    expect(command, output).toBeDefined();
    succeed('sh', ['-c', command as string], folder);
    expect(runScript(folder, 'esm.mjs')).toEqual(answer);
  });
});
