// Requests in files, as the service takes them: dumped where they were slow, replayed under a profiler.
import { readFile, writeFile } from 'node:fs/promises';
import { SilverlodeError } from '../errors.js';
import { parseJson } from '../io/json.js';
import type { RetrieveRequest } from '../retrieval/types.js';
import { fromJson, type JsonRequest } from '../serve/http/json.js';
import { toJson } from './output.js';

/**
 * @param kind Type of the model's ids: `string`, `number` or `bigint`.
 * @throws SilverlodeError `IO_ERROR`, `INVALID_ARGUMENT` for what is no request.
 */
export async function readRequest(path: string, kind: 'string' | 'number' | 'bigint'): Promise<RetrieveRequest> {
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new SilverlodeError('IO_ERROR', `${path}: ${cause.message}`, { path }, { cause });
  });
  const json = parse(path, text);
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new SilverlodeError('INVALID_ARGUMENT', `${path}: a request is a JSON object`, { path });
  return fromJson(json as JsonRequest, kind, Number.POSITIVE_INFINITY);
}

export async function writeRequest(path: string, request: RetrieveRequest): Promise<void> {
  await writeFile(path, `${toJson(request)}\n`).catch((cause: Error) => {
    throw new SilverlodeError('IO_ERROR', `${path}: ${cause.message}`, { path }, { cause });
  });
}

function parse(path: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw new SilverlodeError('INVALID_ARGUMENT', `${path} is not JSON: ${(error as Error).message}`, { path });
  }
}
