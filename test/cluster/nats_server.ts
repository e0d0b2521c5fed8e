// A NATS server of one test file's own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { findProgram } from '../support/program.js';

/** Undefined where it is not installed. */
export const natsServer = findProgram('nats-server');

async function freePort(): Promise<number> {
  const socket = createServer().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address() as AddressInfo;
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Starts it on a free port of loopback; it may take a while until it listens. */
export async function startNats(): Promise<{ process: ChildProcess; host: string }> {
  const port = await freePort();
  const process = spawn(natsServer as string, ['-a', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  return { process, host: `127.0.0.1:${port}` };
}

/** Ends a process that was started here, if it has not ended. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
