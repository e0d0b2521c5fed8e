// The connections of a service, so that its end waits for answers and for nothing else.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How long a body may go on to arrive when nothing else is under way. */
const LAST_BODY_MS = 500;

/** Knows which connections of some servers ask something. */
export class Connections {
  readonly #open = new Set<Socket>();
  /** Requests under way, and their connections. */
  readonly #asked = new Map<IncomingMessage, Socket>();
  #draining = false;

  /** To be called for every server before it listens. */
  watch<S extends Server>(server: S): S {
    server.on('connection', (socket) => this.#add(socket));
    // Over TLS requests come from a socket around the first one, which is the same to the other side.
    server.on('secureConnection', (secure: Socket) => {
      for (const plain of this.#open) if (peerOf(plain) === peerOf(secure)) this.#open.delete(plain);
      this.#add(secure);
    });
    server.on('request', (request, response) => this.#ask(request, response));
    return server;
  }

  /**
   * From now on connections end as soon as they ask nothing, also those that have sent nothing yet.
   *
   * @param limitMs When those still asking are ended too.
   * @returns Calls the limit off.
   */
  drain(limitMs: number): () => void {
    this.#draining = true;
    const busy = new Set(this.#asked.values());
    for (const socket of this.#open) if (!busy.has(socket)) socket.destroy();
    this.#endUnfinished();
    const timer = setTimeout(() => {
      for (const socket of this.#open) socket.destroy();
    }, limitMs);
    return () => clearTimeout(timer);
  }

  #add(socket: Socket): void {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  }

  #ask(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    this.#asked.set(request, socket);
    response.once('close', () => {
      this.#asked.delete(request);
      if (!this.#draining) return;
      if (![...this.#asked.values()].includes(socket)) socket.destroySoon();
      this.#endUnfinished();
    });
  }

  /** A body that may never be whole holds nothing up. */
  #endUnfinished(): void {
    const isAnswering = () => [...this.#asked.keys()].some(({ complete }) => complete);
    if (this.#asked.size === 0 || isAnswering()) return;
    setTimeout(() => {
      for (const [{ complete }, socket] of this.#asked) if (!complete) socket.destroy();
    }, LAST_BODY_MS).unref();
  }
}

const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
