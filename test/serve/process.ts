// `silverlode serve` as a process.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const running: ChildProcess[] = [];

/** Ends what a test has left running. */
export function killAll(): void {
  for (const child of running.splice(0)) child.kill('SIGKILL');
}

export interface Served {
  child: ChildProcess;
  document: { url: string; models: string[] };
  stderr: () => string;
  exit: Promise<unknown[]>;
}

/** Starts a service on a free port and waits until it listens. */
export async function start(...args: string[]): Promise<Served> {
  const child = spawn(process.execPath, [main, 'serve', '--port', '0', '--json', ...args]);
  running.push(child);
  let stdout = '';
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const exit = once(child, 'close');
  child.stdout?.setEncoding('utf8');
  for await (const text of child.stdout as AsyncIterable<string>) {
    stdout += text;
    if (stdout.includes('\n')) break;
  }
  const document = JSON.parse(stdout);
  if (document.error) throw new Error(`exit code ${(await exit)[0]}: ${stderr}`);
  return { child, document, stderr: () => stderr, exit };
}
