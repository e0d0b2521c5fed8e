// One keep-alive HTTP/1.1 connection that sends one request at a time, as little work as a client can do.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');

export class Connection {
  #received: Buffer[] = [];
  #resolve: ((answer: Answer) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;
  #socket: Socket | undefined;

  private constructor(private readonly port: number) {}

  static async open(port: number): Promise<Connection> {
    const connection = new Connection(port);
    await connection.#connect();
    return connection;
  }

  /** Opens the connection again if the server has closed it, as servers do after some time without a request. */
  async send(request: Buffer): Promise<Answer> {
    const socket = this.#socket ?? (await this.#connect());
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      socket.write(request);
    });
  }

  async #connect(): Promise<Socket> {
    const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    this.#received = [];
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#reject?.(error));
    socket.on('close', () => {
      this.#socket = undefined;
      this.#reject?.(new Error('the connection was closed'));
    });
    return socket;
  }

  close(): void {
    this.#reject = undefined;
    this.#socket?.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk);
    const bytes = this.#received.length === 1 ? chunk : Buffer.concat(this.#received);
    const answer = parseAnswer(bytes);
    if (answer === undefined) {
      this.#received = [bytes];
      return;
    }
    this.#received = [];
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#reject = undefined;
    resolve?.(answer);
  }
}

/** A whole answer; `head` in lower case. */
export interface Answer {
  status: number;
  head: string;
  body: Buffer;
}

/** The answer in these bytes; undefined while some are missing. Bodies need a `content-length`. */
export function parseAnswer(bytes: Buffer): Answer | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end).toLowerCase();
  const [, length] = /\r\ncontent-length: *(\d+)/.exec(head) ?? [];
  if (length === undefined) throw new Error(`an answer without content-length: ${head}`);
  const begin = end + HEAD_END.length;
  if (bytes.length < begin + Number(length)) return undefined;
  return { status: Number(head.slice(9, 12)), head, body: bytes.subarray(begin, begin + Number(length)) };
}
