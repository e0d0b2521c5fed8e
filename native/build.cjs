// Builds build/Release/silverlode.node from the sources beside this file, of a checkout or of the package @silverlode/source.
// `--gyp` builds through node-gyp instead of CMake; `--CD<NAME>=<value>` sets a CMake option.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const binary = path.join(root, 'build', 'Release', 'silverlode.node');
const logFile = path.join(root, 'build', 'install.log');
const infoFile = path.join(root, 'build', 'build_info.json');
const { version } = require('../package.json');

const cmakeOptions = process.argv.filter((arg) => arg.startsWith('--CD'));

function main() {
  fs.mkdirSync(path.dirname(logFile), { recursive: true });
  fs.rmSync(logFile, { force: true });
  const found = chooseDoor();
  if (found.missing) return giveUp(found.missing);

  fs.writeFileSync(logFile, '');
  if (readInfo().door !== found.door) fs.rmSync(binary, { force: true });
  fs.rmSync(infoFile, { force: true });

  const failed = found.door === 'cmake' ? buildWithCmake(found.cmakeJs) : buildWithGyp(found.nodeGyp);
  if (failed) return giveUp(`the build failed, see ${shown(logFile)}`);
  const reason = loadError();
  if (reason) return giveUp(`the new binary does not load (${reason})`);

  const info = { version, door: found.door, compiler: found.compiler, platform: `${process.platform}-${process.arch}` };
  fs.writeFileSync(infoFile, `${JSON.stringify(info, null, 2)}\n`);
  console.log(`silverlode: native binary ready (${found.door}, ${found.compiler})`);
}

function giveUp(reason) {
  console.error(`silverlode: no native binary: ${reason}`);
  if (fs.existsSync(logFile)) console.error(fs.readFileSync(logFile, 'utf8').split('\n').slice(-60).join('\n'));
  process.exitCode = 1;
}

function chooseDoor() {
  const compiler = compilerName();
  if (!compiler) return { missing: 'no C++ compiler was found; it takes one that knows C++20, and CMake' };
  const nodeGyp = resolve('node-gyp/bin/node-gyp.js') ?? process.env.npm_config_node_gyp; // npm brings its own
  if (process.argv.includes('--gyp')) {
    return nodeGyp ? { door: 'gyp', compiler, nodeGyp } : { missing: 'node-gyp was not found' };
  }
  const cmakeJs = resolve('cmake-js/bin/cmake-js');
  if (cmakeJs && answers('cmake')) return { door: 'cmake', compiler, cmakeJs };
  if (nodeGyp && fs.existsSync(path.join(root, 'binding.gyp'))) return { door: 'gyp', compiler, nodeGyp };
  return { missing: cmakeJs ? 'CMake was not found' : 'cmake-js was not found (run npm install first)' };
}

function compilerName() {
  if (process.platform === 'win32') return 'MSVC'; // cmake-js and node-gyp find it by themselves
  for (const name of [process.env.CXX, 'c++', 'g++', 'clang++']) {
    const line = name && answers(name);
    if (line) return line;
  }
  return undefined;
}

/** First line of `<command> --version`, or undefined. */
function answers(command) {
  const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n')[0].trim() : undefined;
}

function resolve(request) {
  try {
    return require.resolve(request);
  } catch {
    return undefined;
  }
}

function buildWithCmake(cmakeJs) {
  const out = path.join(root, 'build', 'cmake');
  const options = ['--directory', root, '--out', out, '--parallel', String(os.availableParallelism())];
  if (movedFrom(path.join(out, 'CMakeCache.txt'))) fs.rmSync(out, { recursive: true, force: true });
  if (cmakeOptions.length > 0) {
    const failed = run(cmakeJs, ['configure', ...options, ...cmakeOptions]);
    if (failed) return failed;
  }
  return run(cmakeJs, ['build', ...options]);
}

/** CMake refuses a cache that was made for another folder: a checkout that was moved or copied. */
function movedFrom(cacheFile) {
  if (!fs.existsSync(cacheFile)) return false;
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(fs.readFileSync(cacheFile, 'utf8'));
  return home?.[1] !== root;
}

function buildWithGyp(nodeGyp) {
  // Headers that came with this Node, where they did; else node-gyp fetches them.
  const prefix = path.resolve(process.execPath, '..', '..');
  const headers = fs.existsSync(path.join(prefix, 'include', 'node', 'common.gypi')) ? [`--nodedir=${prefix}`] : [];
  const options = ['--directory', root, ...headers];
  return run(nodeGyp, ['configure', ...options]) || run(nodeGyp, ['build', ...options, '--jobs', 'max']);
}

function run(script, args) {
  const log = fs.openSync(logFile, 'a');
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: ['ignore', log, log] });
  fs.closeSync(log);
  return status !== 0;
}

/** Loads the binary in a child, so that a broken one cannot take this process down. */
function loadError() {
  const code = 'require(process.argv[1])';
  const { status, stderr } = spawnSync(process.execPath, ['-e', code, binary], { encoding: 'utf8' });
  if (status === 0) return undefined;
  return /^(?:Error: )(.*)$/m.exec(stderr)?.[1] ?? 'it crashes';
}

function readInfo() {
  try {
    return JSON.parse(fs.readFileSync(infoFile, 'utf8'));
  } catch {
    return {};
  }
}

/** The path as the user would type it: relative to where npm or node was started, when inside. */
function shown(file) {
  const relative = path.relative(process.env.INIT_CWD || process.cwd(), file);
  const short = relative.startsWith('..') ? file : relative;
  return short.includes(' ') ? `"${short}"` : short;
}

try {
  main();
} catch (error) {
  giveUp(error.message); // a read-only folder, for example
}
