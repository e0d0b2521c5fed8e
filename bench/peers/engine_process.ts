// An engine as seen by the runner: a process that answers one command at a time.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { type Commands, EngineError, type Replies, type Reply } from './protocol.js';

const ERROR_TEXT = 2000;

interface Waiting {
  resolve: (line: string) => void;
  reject: (error: EngineError) => void;
}

/** What an engine answers to each of its commands. */
type RepliesTo<Asked> = Readonly<Record<keyof Asked, unknown>>;

/** The two streams of an engine, and whoever waits for its next line. */
export class EngineConnection<Asked = Commands, Answers extends RepliesTo<Asked> = Replies & RepliesTo<Asked>> {
  #waiting: Waiting | undefined;
  #dead: EngineError | undefined;

  constructor(
    readonly engine: string,
    private readonly input: Writable,
    output: Readable,
  ) {
    const lines = createInterface({ input: output });
    lines.on('line', (line) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting === undefined) this.end(new EngineError('BAD_REPLY', engine, `said unasked: ${line.slice(0, 200)}`));
      else waiting.resolve(line);
    });
    lines.on('close', () => this.end(new EngineError('DEAD', engine, 'its output ended')));
    input.on('error', (error) => this.end(new EngineError('DEAD', engine, error.message)));
  }

  /** Everything asked from now on, and whatever is being asked, fails with this. */
  end(error: EngineError): void {
    this.#dead ??= error;
    this.#waiting?.reject(this.#dead);
    this.#waiting = undefined;
  }

  /** @throws EngineError; after `TIMEOUT` the connection is of no more use. */
  async ask<C extends keyof Asked & string>(command: C, what: Asked[C], limitSeconds: number): Promise<Answers[C]> {
    if (this.#dead !== undefined) throw this.#dead;
    if (this.#waiting !== undefined) throw new EngineError('BAD_COMMAND', this.engine, 'is still busy');
    const line = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(
        () => this.end(new EngineError('TIMEOUT', this.engine, `no answer to ${command} in ${limitSeconds} s`)),
        limitSeconds * 1000,
      );
      this.#waiting = {
        resolve: (text) => {
          clearTimeout(timer);
          resolve(text);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.input.write(`${JSON.stringify({ [command]: what })}\n`, (error) => {
        if (error) this.end(new EngineError('DEAD', this.engine, error.message));
      });
    });
    const reply = this.#parse<Answers[C]>(line);
    if ('ok' in reply) return reply.ok;
    throw new EngineError(reply.error.code, this.engine, reply.error.message);
  }

  #parse<Answer>(line: string): Reply<Answer> {
    try {
      const reply = JSON.parse(line);
      if (reply !== null && typeof reply === 'object' && ('ok' in reply || 'code' in (reply.error ?? {}))) return reply;
    } catch {
      // Falls through: text that is no JSON is no reply either.
    }
    const error = new EngineError('BAD_REPLY', this.engine, `not a reply: ${line.slice(0, 200)}`);
    this.end(error);
    throw error;
  }
}

/** How an engine's process is started. */
export interface EngineCommand {
  file: string;
  args: readonly string[];
}

/** An engine in a process of its own. It lives until `stop`, its own end or a command that took too long. */
export class EngineProcess<Asked = Commands, Answers extends RepliesTo<Asked> = Replies & RepliesTo<Asked>> {
  readonly #child: ChildProcess;
  readonly #connection: EngineConnection<Asked, Answers>;
  readonly #ended: Promise<void>;
  #errors = '';

  constructor(
    readonly engine: string,
    { file, args }: EngineCommand,
  ) {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    this.#connection = new EngineConnection(engine, child.stdin, child.stdout);
    child.stderr.on('data', (text) => {
      this.#errors = (this.#errors + text).slice(-ERROR_TEXT);
    });
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#connection.end(new EngineError('DEAD', engine, `could not be started: ${error.message}`));
        resolve();
      });
      child.once('exit', () => resolve());
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** @throws EngineError, with what the process wrote to stderr when it died; it is ended when it was too slow. */
  async ask<C extends keyof Asked & string>(command: C, what: Asked[C], limitSeconds = 120): Promise<Answers[C]> {
    try {
      return await this.#connection.ask(command, what, limitSeconds);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      if (error.code === 'TIMEOUT' || error.code === 'BAD_REPLY') this.#child.kill('SIGKILL');
      if (error.code !== 'DEAD') throw error;
      await this.#ended;
      const { exitCode, signalCode } = this.#child;
      const how = signalCode ?? (exitCode === null ? error.message : `exit code ${exitCode}`);
      throw new EngineError('DEAD', this.engine, `died (${how}) ${this.#errors.trim()}`.trim());
    }
  }

  /** Closes its stdin, upon which an engine ends; waits for that, a few seconds at most. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await this.#ended;
    clearTimeout(timer);
  }
}
