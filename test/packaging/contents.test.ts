// What each package holds, file by file where that is short, and what it says of itself.
import { statSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readFacts, refuseUnfit } from '../../release/binaries.js';
import { CUDA, PLATFORMS } from '../../release/platforms.js';
import { contents, folder, manifest, repository, tarballs } from './tarballs.js';
import { succeed } from './tools.js';

const built = tarballs();
const NOT_SHIPPED = /(^|\/)(tests?|bench|emulation|examples|node_modules|\.git)(\/|$)|_test\.|\.test\.|\.tsbuildinfo$/;
const bytes = (tarball: string) => statSync(path.join(folder, tarball)).size;

test('the root package holds JavaScript and types alone, below 1 MB', () => {
  const files = contents('silverlode.tgz');
  expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'CHANGELOG.md', 'package.json']));
  expect(files).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js']));
  const allowed = /^(LICENSE|README\.md|CHANGELOG\.md|package\.json|dist\/.*\.(js|d\.ts)|dist\/serve\/page\/[^/]+)$/;
  expect(files.filter((file) => !allowed.test(file) || NOT_SHIPPED.test(file))).toEqual([]);
  expect(bytes('silverlode.tgz')).toBeLessThan(1e6);
});

test('its manifest has no script, and every platform as an optional dependency of the same version', () => {
  const { scripts, dependencies, optionalDependencies, gypfile, ...rest } = manifest('silverlode.tgz');
  expect({ scripts, gypfile }).toEqual({});
  expect(rest).toMatchObject({ name: 'silverlode', version: repository.version, license: 'Apache-2.0' });
  for (const field of ['repository', 'homepage', 'bugs', 'engines']) expect(rest).toHaveProperty(field);
  const wanted = PLATFORMS.map(({ name }) => [`@silverlode/${name}`, repository.version]);
  expect(optionalDependencies).toEqual(Object.fromEntries(wanted));
  expect(Object.keys(dependencies ?? {})).not.toEqual(expect.arrayContaining(['cmake-js']));
});

test.runIf(built.includes('silverlode-source.tgz'))('the sources hold what compiles, without binding.gyp', () => {
  const files = contents('silverlode-source.tgz');
  const allowed = /^(LICENSE|README\.md|package\.json|CMakeLists\.txt|native\/.*)$/;
  expect(files.filter((file) => !allowed.test(file) || NOT_SHIPPED.test(file))).toEqual([]);
  expect(files).toEqual(expect.arrayContaining(['native/build.cjs', 'native/binding/addon.cpp', 'CMakeLists.txt']));
  expect(manifest('silverlode-source.tgz')).not.toHaveProperty('scripts');
});

const native = [...PLATFORMS, CUDA].filter(({ name }) => built.includes(`silverlode-${name}.tgz`));

test.each(native)('@silverlode/$name', (platform) => {
  const { name, os, cpu, libc, file } = platform;
  const tarball = `silverlode-${name}.tgz`;
  const expected = ['LICENSE', 'README.md', 'THIRD_PARTY_LICENSES.txt', 'package.json', file];
  expect(contents(tarball)).toEqual(expected.sort());
  const { version, license } = repository;
  const wanted = { name: `@silverlode/${name}`, version, license, main: file, os: [os], cpu: [cpu] };
  expect(manifest(tarball)).toMatchObject(libc === undefined ? wanted : { ...wanted, libc: [libc] });
  expect(manifest(tarball)).not.toHaveProperty('scripts');
  expect(bytes(tarball)).toBeLessThan(platform === CUDA ? 100e6 : 5e6);
  const binary = path.join(folder, 'staging', name, file);
  refuseUnfit(platform, binary);
  console.log(name, bytes(tarball), JSON.stringify(readFacts(binary)));
});

test.runIf(native.some(({ name }) => name === 'linux-x64'))('the tarball is what was staged', () => {
  const packed = succeed('tar', [
    'xzOf',
    path.join(folder, 'silverlode-linux-x64.tgz'),
    'package/THIRD_PARTY_LICENSES.txt',
  ]);
  expect(packed.stdout).toMatch(/libc\+\+[\s\S]*node-addon-api|node-addon-api[\s\S]*libc\+\+/);
});
