// npm run release [-- --dry-run]: checks and publishes the packages in build/packages, each with provenance; a dry run stops
// before it publishes. `npm run package` comes first.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CUDA, PLATFORMS } from './platforms.js';
import { packagesFolder } from './stage.js';
import { root, run } from './tools.js';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly scripts?: object;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** In the order of publishing: the root package last, when all that it depends on is there. */
const EXPECTED = [...PLATFORMS.map(({ name }) => name), CUDA.name, 'source'].map((name) => `silverlode-${name}.tgz`);
const ALL = [...EXPECTED, 'silverlode.tgz'];

/** What tests, benchmarks, emulation and the build leave behind. */
const FOREIGN =
  /(^|\/)(tests?|bench|emulation|examples|node_modules)\/|\.test\.|_test\.|\.tsbuildinfo$|^package\/binding\.gyp$/;

const tar = (...args: string[]) => run('tar', args, { cwd: packagesFolder });

function faultsOf(tarball: string, version: string): string[] {
  const manifest = JSON.parse(tar('xzOf', tarball, 'package/package.json')) as Manifest;
  const faults: string[] = [];
  if (manifest.version !== version) faults.push(`is of version ${manifest.version}, package.json of ${version}`);
  if (manifest.scripts !== undefined) faults.push('has scripts');
  for (const [name, wanted] of Object.entries(manifest.optionalDependencies ?? {}))
    if (wanted !== version) faults.push(`depends on ${name} ${wanted}`);
  const foreign = tar('tzf', tarball)
    .split('\n')
    .filter((file) => FOREIGN.test(file));
  if (foreign.length > 0) faults.push(`holds ${foreign.slice(0, 5).join(', ')}`);
  return faults.map((fault) => `${tarball} ${fault}`);
}

/** Everything that keeps a release from being one. */
function allFaults(tarballs: readonly string[], version: string): string[] {
  const faults = tarballs.flatMap((tarball) => faultsOf(tarball, version));
  for (const tarball of ALL.filter((name) => !tarballs.includes(name))) faults.push(`${tarball} was not built`);
  if (!readFileSync(path.join(root, 'CHANGELOG.md'), 'utf8').includes(`\n## ${version}\n`))
    faults.push(`CHANGELOG.md has no entry for ${version}`);
  return faults;
}

function writeChecksums(tarballs: readonly string[]): void {
  const lines = tarballs.map((tarball) => {
    const digest = createHash('sha256')
      .update(readFileSync(path.join(packagesFolder, tarball)))
      .digest('hex');
    return `${digest}  ${tarball}\n`;
  });
  writeFileSync(path.join(packagesFolder, 'SHA256SUMS'), lines.join(''));
  console.log(lines.join('').trimEnd());
}

const dryRun = process.argv.includes('--dry-run');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;
const found = existsSync(packagesFolder) ? readdirSync(packagesFolder) : [];
const tarballs = ALL.filter((name) => found.includes(name));
const faults = allFaults(tarballs, version);
writeChecksums(tarballs);
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;
else if (dryRun) console.log(`${tarballs.length} packages of version ${version} are ready`);
else
  for (const tarball of tarballs)
    run('npm', ['publish', tarball, '--access', 'public', '--provenance', '--ignore-scripts'], {
      cwd: packagesFolder,
      stdio: 'inherit',
    });
