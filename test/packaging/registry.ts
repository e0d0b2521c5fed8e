// A registry on loopback that has our packages, and all others from the registry that npm is set up with.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { PLATFORMS, type Platform } from '../../release/platforms.js';
import { folder, repository, tarballs } from './tarballs.js';
import { program, succeed, tool } from './tools.js';

export interface Registry {
  readonly url: string;
  /** For package managers: caches of their own, and the registry. */
  readonly env: NodeJS.ProcessEnv;
  close(): Promise<void>;
}

async function freePort(): Promise<number> {
  const socket = createServer().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address() as AddressInfo;
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Starts it in a folder and publishes every tarball. */
export async function startRegistry(work: string): Promise<Registry> {
  mkdirSync(work, { recursive: true });
  const upstream = succeed('npm', ['config', 'get', 'registry']).stdout.trim();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const own = { access: '$all', publish: '$all' };
  const config = {
    storage: path.join(work, 'storage'),
    uplinks: { upstream: { url: upstream, maxage: '60m' } },
    packages: { silverlode: own, '@silverlode/*': own, '**': { access: '$all', proxy: 'upstream' } },
    auth: { htpasswd: { file: path.join(work, 'users') } },
    max_body_size: '200mb',
    log: { type: 'stdout', format: 'pretty', level: 'error' },
  };
  const file = path.join(work, 'verdaccio.yaml');
  writeFileSync(file, JSON.stringify(config)); // YAML holds JSON
  const server = spawn(
    program('node24/bin/node'),
    [tool('verdaccio/bin/verdaccio'), '-c', file, '-l', `127.0.0.1:${port}`],
    {
      stdio: 'ignore',
    },
  );
  const answers = () =>
    fetch(`${url}-/ping`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await answers())) {
    if (server.exitCode !== null) throw new Error(`the registry ended with exit code ${server.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  const npmrc = path.join(work, 'npmrc');
  writeFileSync(npmrc, `registry=${url}\n//127.0.0.1:${port}/:_authToken=any\n`);
  const env = {
    PATH: process.env.PATH,
    HOME: work, // caches, and no settings of the user
    npm_config_userconfig: npmrc,
    npm_config_registry: url,
    YARN_NPM_REGISTRY_SERVER: url,
    YARN_UNSAFE_HTTP_WHITELIST: '127.0.0.1',
    YARN_ENABLE_TELEMETRY: '0',
    YARN_NPM_MINIMAL_AGE_GATE: '0', // it would not install what was published a moment ago
    NO_COLOR: '1',
  };
  for (const tarball of tarballs()) {
    succeed('npm', ['publish', path.join(folder, tarball), '--ignore-scripts', '--tag', 'latest'], { cwd: work, env });
  }
  for (const platform of PLATFORMS.filter(({ name }) => !tarballs().includes(`silverlode-${name}.tgz`)))
    publishStandIn(platform, path.join(work, platform.name), env);
  const close = async () => {
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
  };
  return { url, env, close };
}

/** A package of a platform that was not built for this run: resolving needs its name. */
function publishStandIn({ name, os, cpu }: Platform, place: string, env: NodeJS.ProcessEnv): void {
  mkdirSync(place);
  const { version } = repository;
  writeFileSync(
    path.join(place, 'package.json'),
    JSON.stringify({ name: `@silverlode/${name}`, version, os: [os], cpu: [cpu] }),
  );
  succeed('npm', ['publish', place, '--ignore-scripts'], { cwd: place, env });
}
