// Connections to the NATS server that an option names.
import { SilverlodeError } from '../errors.js';
import { importPeer } from '../serve/peers.js';

/**
 * @param scheme `nats` or `tls`
 * @param host `host:port`; a user and a password may be in it.
 * @throws SilverlodeError `INVALID_ARGUMENT` when `@nats-io/transport-node` is not installed, `IO_ERROR` when the server cannot be
 * reached.
 */
export async function connectNats(scheme: string, host: string) {
  const { connect } = await importPeer<typeof import('@nats-io/transport-node')>('@nats-io/transport-node');
  const url = new URL(`http://${host}`);
  const [user, pass] = [url.username, url.password].map((part) => (part ? decodeURIComponent(part) : undefined));
  return connect({ servers: `${scheme}://${url.host}`, user, pass, maxReconnectAttempts: -1 }).catch((cause: Error) => {
    throw new SilverlodeError('IO_ERROR', `cannot reach ${url.host}: ${cause.message}`, {}, { cause });
  });
}

/** @param text `nats://host:port`. @throws SilverlodeError as `connectNats`, `INVALID_ARGUMENT` for another URL. */
export async function connectUrl(text: string) {
  const [, scheme, host] = /^(nats|tls):\/\/([^/]+)\/?$/.exec(text) ?? [];
  if (scheme === undefined || host === undefined)
    throw new SilverlodeError('INVALID_ARGUMENT', 'a NATS server is written nats://host:port');
  return connectNats(scheme, host);
}
