// The subpath silverlode/onnx: networks that were trained elsewhere, as modules.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { SilverlodeError } from '../errors.js';
import { trace } from '../program/compile.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import { fuse } from './fuse.js';
import { readGraph } from './graph.js';
import { LOWERINGS } from './lower.js';
import { OnnxModule } from './module.js';
import { decodeModel } from './proto.js';

export { OnnxModule, type OnnxNode } from './module.js';

/** Files beyond this are no networks, or keep their weights outside. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * Imports an ONNX model, opset 13 and newer, as a module: its parameters, inputs and outputs are named as in the file. The first open
 * dimension of the inputs is `'batch'`, others are symbols of their own; 64-bit integers of the file are int32 here.
 *
 * Linear layers with bias and activation, GELU, layer normalisation and normalisation to unit length become one op each, however the
 * exporter wrote them.
 *
 * @param model A path, beside which external data are looked for, or the bytes of a file.
 * @throws SilverlodeError `INVALID_ARGUMENT` listing all nodes that have no counterpart, as `unsupported`; `CORRUPT_FILE` and
 * `UNSUPPORTED_DTYPE` naming node or tensor; `UNSUPPORTED_VERSION` for an old opset; `IO_ERROR`.
 * @example
 * ```ts
 * const tower = await importOnnx('tower.onnx');
 * const program = await compile(tower, { inputs: tower.inputs, maxBatch: 64 });
 * const { user } = await program.run({ x: features });
 * ```
 */
export async function importOnnx(model: string | Uint8Array): Promise<OnnxModule> {
  const bytes = typeof model === 'string' ? await read(model) : model;
  if (!isTypedArrayOf(bytes, Uint8Array) || bytes.length > MOST_BYTES)
    throw new SilverlodeError('INVALID_ARGUMENT', 'a model is the path of an ONNX file or its bytes');
  const folder = typeof model === 'string' ? path.dirname(path.resolve(model)) : undefined;
  const graph = fuse(readGraph(await decodeModel(bytes), folder));
  const made = new OnnxModule(graph);
  requireKnownOps(made);
  trace(made, made.inputs); // what does not fit is refused here, and not when it is compiled
  return made;
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new SilverlodeError('IO_ERROR', `${file}: ${(cause as Error).message}`, { path: file }, { cause });
  }
}

/** @throws SilverlodeError `INVALID_ARGUMENT` with all of them at once. */
function requireKnownOps(module: OnnxModule): void {
  const unsupported = module.unsupported(new Set(Object.keys(LOWERINGS)));
  if (unsupported.length === 0) return;
  const ops = [...new Set(unsupported.map(({ op }) => op))].sort();
  const places = unsupported.map(({ op, node }) => `${op} (${node})`);
  const shown = places.slice(0, 10).join(', ') + (places.length > 10 ? `, and ${places.length - 10} more` : '');
  throw new SilverlodeError('INVALID_ARGUMENT', `the ONNX model has operators that are not supported: ${shown}`, {
    operators: ops,
    unsupported,
  });
}
