import { SilverlodeError } from '../errors.js';

/** Packages that only parts of this subpath need. */
export type Peer =
  | 'fastify'
  | '@fastify/swagger'
  | 'prom-client'
  | '@opentelemetry/api'
  | '@nats-io/obj'
  | '@nats-io/jetstream'
  | '@nats-io/transport-node';

/** What the HTTP service cannot do without. */
export const SERVICE_PEERS: readonly Peer[] = ['fastify', '@fastify/swagger', 'prom-client'];

/**
 * Imports an optional package.
 *
 * @throws SilverlodeError `INVALID_ARGUMENT` naming what to install.
 */
export async function importPeer<T>(name: Peer): Promise<T> {
  try {
    return (await import(name)) as T;
  } catch (error) {
    if (!isMissing(error, name)) throw error;
    const all = SERVICE_PEERS.includes(name) ? SERVICE_PEERS : [name];
    const message = `${name} is not installed; serving needs it: npm install ${all.join(' ')}`;
    throw new SilverlodeError('INVALID_ARGUMENT', message, { package: name }, { cause: error });
  }
}

/** Says early what the HTTP service lacks. @throws SilverlodeError `INVALID_ARGUMENT` naming what to install. */
export async function requireServicePeers(): Promise<void> {
  for (const name of SERVICE_PEERS) await importPeer(name);
}

/** Imports an optional package that one can do without. */
export async function tryPeer<T>(name: Peer): Promise<T | undefined> {
  try {
    return (await import(name)) as T;
  } catch (error) {
    if (isMissing(error, name)) return undefined;
    throw error;
  }
}

/** The package itself is missing, not something that it imports. */
function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && message.includes(`'${name}'`);
}
