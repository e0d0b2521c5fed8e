// The command line inside the test's own process.
import { expect } from 'vitest';
import { runCli } from '../../lib/cli/program.js';

/** Runs a command; never throws. */
export async function run(...args: (string | number)[]) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) => ({
    write: (text: string | Uint8Array) => {
      written[name] += text;
      return true;
    },
  });
  const code = await runCli(args.map(String), { stdout: stream('stdout'), stderr: stream('stderr') });
  return { code, ...written };
}

/** The document of a command that succeeds, without a word on stderr. */
export async function json(...args: (string | number)[]) {
  const { code, stdout, stderr } = await run(...args, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.endsWith('}\n') || stdout.endsWith(']\n')).toBe(true);
  return JSON.parse(stdout);
}

/** What a command that succeeds prints for people. */
export async function text(...args: (string | number)[]): Promise<string> {
  const { code, stdout } = await run(...args);
  expect(code).toBe(0);
  return stdout;
}
