// The graph of an ONNX file, checked: every name has one source that comes before its uses.
import { SilverlodeError } from '../errors.js';
import type { Dim } from '../tensor/shape.js';
import { type Constant, corrupt, INPUT_TYPES, readConstant } from './constants.js';
import type { AttributeProto, ModelProto, NodeProto, ValueInfoProto } from './proto.js';

/** What a node computes, by names; an empty input is left out. */
export interface GraphNode {
  op: string;
  /** As in the file; for errors. */
  name: string;
  inputs: string[];
  outputs: string[];
  attributes: ReadonlyMap<string, AttributeProto>;
  /** What a linear layer applies to its result; set where the two were fused. */
  activation?: string;
}

export interface GraphInput {
  dtype: 'float32' | 'int32';
  shape: readonly Dim[];
}

export interface Graph {
  inputs: ReadonlyMap<string, GraphInput>;
  outputs: readonly string[];
  constants: Map<string, Constant>;
  /** In an order in which they can be computed. */
  nodes: GraphNode[];
}

const OLDEST_OPSET = 13;
const MOST_NODES = 100_000;
const MOST_DIMS = 8;

/** @throws SilverlodeError `CORRUPT_FILE`, `UNSUPPORTED_VERSION`, `UNSUPPORTED_DTYPE`, naming node or tensor. */
export function readGraph({ graph, opsetImport }: ModelProto, folder: string | undefined): Graph {
  if (graph === null || graph.output.length === 0)
    throw new SilverlodeError('CORRUPT_FILE', 'the ONNX model has no graph');
  const opset = opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0;
  if (opset < OLDEST_OPSET)
    throw new SilverlodeError(
      'UNSUPPORTED_VERSION',
      `the ONNX model has opset ${opset}; export it with ${OLDEST_OPSET} or newer`,
      { opset },
    );
  if (graph.node.length > MOST_NODES)
    throw new SilverlodeError(
      'LIMIT_EXCEEDED',
      `the ONNX model has ${graph.node.length} nodes, at most ${MOST_NODES} may be`,
    );
  const constants = new Map<string, Constant>();
  for (const proto of graph.initializer) {
    if (proto.name === '' || constants.has(proto.name)) throw corrupt(proto.name, 'has no name of its own');
    constants.set(proto.name, readConstant(proto, folder));
  }
  const given = graph.input.filter(({ name }) => !constants.has(name));
  const batch = batchName(given);
  const inputs = new Map(given.map((info): [string, GraphInput] => [info.name, inputOf(info, batch)]));
  const nodes: GraphNode[] = [];
  for (const [i, proto] of graph.node.entries()) {
    const node = nodeOf(proto, i);
    if (node.op !== 'Constant') nodes.push(node);
    else constants.set(node.outputs[0] as string, constantOf(node, folder));
  }
  const outputs = graph.output.map(({ name }) => name);
  return { inputs, outputs, constants, nodes: ordered(nodes, [...inputs.keys(), ...constants.keys()], outputs) };
}

function nodeOf({ opType, name, input, output, attribute, domain }: NodeProto, i: number): GraphNode {
  const attributes = new Map(attribute.map((each) => [each.name, each]));
  const op = domain === '' || domain === 'ai.onnx' ? opType : `${domain}.${opType}`;
  const place = name || `${op} ${i}`;
  if (output.length === 0 || output.length > 64 || input.length > 1024)
    throw broken(place, 'has no result or too many');
  return { op, name: place, inputs: [...input], outputs: [...output], attributes };
}

function constantOf({ name, attributes }: GraphNode, folder: string | undefined): Constant {
  const value = attributes.get('value')?.t;
  if (value) return readConstant(value, folder, name);
  const float = attributes.get('value_float');
  if (float) return { data: Float32Array.of(float.f), shape: [] };
  const integer = attributes.get('value_int');
  if (integer) return { data: Int32Array.of(integer.i), shape: [] };
  const floats = attributes.get('value_floats')?.floats;
  if (floats) return { data: Float32Array.from(floats), shape: [floats.length] };
  const integers = attributes.get('value_ints')?.ints;
  if (integers) return { data: Int32Array.from(integers), shape: [integers.length] };
  throw broken(name, 'is a constant of an unknown kind');
}

/** The symbol of the first dimension of the first input whose first dimension is open. */
function batchName(inputs: readonly ValueInfoProto[]): string | undefined {
  for (const { type } of inputs) {
    const first = type?.tensorType?.shape?.dim[0];
    if (first && !first.dimValue) return first.dimParam ?? '';
  }
  return undefined;
}

function inputOf({ name, type }: ValueInfoProto, batch: string | undefined): GraphInput {
  const tensor = type?.tensorType;
  const dtype = INPUT_TYPES[tensor?.elemType ?? 0];
  if (dtype === undefined || !tensor?.shape || tensor.shape.dim.length > MOST_DIMS)
    throw new SilverlodeError(
      'UNSUPPORTED_DTYPE',
      `input '${name}' is no tensor of float32, int32 or int64 with a shape`,
      {
        input: name,
      },
    );
  const shape = tensor.shape.dim.map(({ dimValue, dimParam }, axis): Dim => {
    if (dimValue !== undefined && dimValue > 0 && Number.isSafeInteger(dimValue) && dimValue < 2 ** 31) return dimValue;
    if (axis === 0 && (dimParam ?? '') === batch) return 'batch';
    return dimParam ? symbol(dimParam) : `${symbol(name)}_${axis}`;
  });
  return { dtype, shape };
}

const symbol = (text: string): string => text.replaceAll(/\W/g, '_');

/** Kahn's order; files keep it already. @throws SilverlodeError `CORRUPT_FILE` for a name without a source, or a circle. */
function ordered(nodes: readonly GraphNode[], known: readonly string[], outputs: readonly string[]): GraphNode[] {
  const source = new Map<string, GraphNode | undefined>(known.map((name) => [name, undefined]));
  for (const node of nodes) {
    for (const name of node.outputs) {
      if (name === '') continue;
      if (source.has(name)) throw broken(node.name, `gives '${name}' a second time`);
      source.set(name, node);
    }
  }
  const missing = new Map<GraphNode, number>();
  const users = new Map<GraphNode, GraphNode[]>();
  for (const node of nodes) {
    for (const name of node.inputs)
      if (name !== '' && !source.has(name)) throw broken(node.name, `needs '${name}', which nothing gives`);
    const before = new Set(node.inputs.flatMap((name) => source.get(name) ?? []));
    missing.set(node, before.size);
    for (const each of before) users.set(each, [...(users.get(each) ?? []), node]);
  }
  const output = outputs.find((name) => !source.has(name));
  if (output !== undefined) throw broken(`output ${output}`, 'is given by nothing');
  const ready = nodes.filter((node) => missing.get(node) === 0);
  for (let at = 0; at < ready.length; at++) {
    for (const user of users.get(ready[at] as GraphNode) ?? []) {
      missing.set(user, (missing.get(user) as number) - 1);
      if (missing.get(user) === 0) ready.push(user);
    }
  }
  if (ready.length === nodes.length) return ready;
  const circle = nodes.find((node) => (missing.get(node) as number) > 0) as GraphNode;
  throw broken(circle.name, 'waits for its own result');
}

export function broken(node: string, what: string): SilverlodeError {
  return new SilverlodeError('CORRUPT_FILE', `node '${node}' of the ONNX model ${what}`, { node });
}
