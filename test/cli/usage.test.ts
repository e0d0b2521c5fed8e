// Wrong usage is refused before any file is touched; help is quick to find.
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { run, text } from './run.js';

const sources = ['--embeddings', 'a.npy'];

describe('usage', () => {
  test.each([
    [[]],
    [['nonsense']],
    [['inspect']],
    [['inspect', 'a', 'b']],
    [['devices', '--nonsense']],
    [['publish', '--out', 'a']],
    [['publish', '--embeddings', 'a.npy']],
    [['publish', ...sources, '--out', 'a', '--clusters', '0']],
    [['publish', ...sources, '--out', 'a', '--metric', 'hamming']],
    [['publish', ...sources, '--out', 'a', '--weights', 'like']],
    [['publish', ...sources, '--out', 'a', '--tasks', 'x']],
    [['publish', ...sources, '--out', 'a', '--rerank', 'x.safetensors']],
    [['publish', ...sources, '--out', 'a', '--feature-names', 'x']],
    [['publish', ...sources, '--out', 'a', '--fields', 'a,,b']],
    [['publish', '--embeddings', 'a.npy', '--out', 'a', '--id-field', 'x']],
    [['query', 'a']],
    [['query', 'a', '--vector', '1,x']],
    [['query', 'a', '--vector', '1', '--user', '{}']],
    [['query', 'a', '--user', '{']],
    [['query', 'a', '--user', '[1]']],
    [['query', 'a', '--vector', '1', '-k', '1.5']],
    [['tune', 'a']],
    [['tune', 'a', '--queries', 'a.npy', '--recall', '1.5']],
    [['bench', 'a']],
    [['bench', 'a', '--queries', 'a.npy', '--batches', '1,0']],
    [['bench', 'a', '--queries', 'a.npy', '--seconds', '0']],
    [['serve']],
    [['serve', 'a', '--port', 'http']],
    [['serve', 'a', '--tls-key', 'a.pem']],
    [['serve', 'a', '--token', 'x', '--token-file', 'a']],
    [['serve', 'a', '--log-level', 'loud']],
  ])('%j is refused with exit code 2', async (args) => {
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toBe('');
  });

  test('help and version are no failure', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(await run('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    expect(await text('--help')).toMatch(/^Usage: silverlode [\s\S]*Examples:[\s\S]*Exit codes:/);
    for (const command of ['devices', 'publish', 'inspect', 'query', 'tune', 'bench', 'serve', 'front'])
      expect(await text(command, '--help')).toMatch(`Usage: silverlode ${command}`);
  });
});
