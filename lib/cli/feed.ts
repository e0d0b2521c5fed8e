// The NATS stream that `--follow` names.
import { SilverlodeError } from '../errors.js';
import { natsEnd, natsLog } from '../feed/nats.js';
import type { HubOptions } from '../serve/hub_options.js';
import { importPeer } from '../serve/peers.js';
import { connectNats } from './nats.js';

/** What models follow, over one connection. */
export interface Feed {
  follow: NonNullable<HubOptions['follow']>;
  close: () => Promise<void>;
}

/**
 * Connects to a server. Models come to the end of the stream before they serve.
 *
 * @param text `nats://host:port/stream`, where `{name}` in the stream stands for the model that follows; a user and a password may
 * be in it.
 * @throws SilverlodeError `INVALID_ARGUMENT` for another URL and when `@nats-io/jetstream` or `@nats-io/transport-node` are not
 * installed, `IO_ERROR` when the server cannot be reached.
 */
export async function openFeed(text: string): Promise<Feed> {
  const [, scheme, host, pattern] = /^(nats|tls):\/\/([^/]+)\/([^/\s.*>]+)$/.exec(text) ?? [];
  if (host === undefined || pattern === undefined)
    throw new SilverlodeError('INVALID_ARGUMENT', 'what to follow is written nats://host:port/stream');
  await importPeer('@nats-io/jetstream');
  const connection = await connectNats(scheme as string, host);
  return {
    follow: async (name, { ids }) => {
      const stream = pattern.replaceAll('{name}', name);
      const isReached = await natsEnd(connection, stream);
      return { log: natsLog(connection, { stream, ids, identify: true }), isReached };
    },
    close: () => connection.close(),
  };
}
