// An imported network as a module.
import { SilverlodeError } from '../errors.js';
import { Module } from '../nn/module.js';
import type { InputSpecs } from '../program/compile.js';
import type { AnyTensor, SymbolicTensor } from '../program/trace.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import { type Constant, corrupt } from './constants.js';
import type { Graph, GraphNode } from './graph.js';
import { fold } from './known.js';
import { LOWERINGS, type Operands, Unsupported } from './lower.js';
import { isConstant, isTensor, settled, type Value } from './values.js';

/** A node that was imported, or could not be. */
export interface OnnxNode {
  op: string;
  node: string;
}

/** Parameters below a name; modules of the trained network as far as names tell. */
class Scope extends Module {
  forward(): never {
    throw new SilverlodeError('INTERNAL', 'a scope holds parameters and computes nothing');
  }
}

const RESERVED = new Set([
  '__proto__',
  ...Object.getOwnPropertyNames(Module.prototype),
  'inputs',
  'outputs',
  'nodes',
  'bufferNames',
  'unsupported',
]);

export class OnnxModule extends Module {
  /** For `compile`: as in the file, but for integers, which are int32, and the batch. */
  readonly inputs: InputSpecs;
  readonly #graph: Graph;

  /** @internal Use `importOnnx`. */
  constructor(graph: Graph) {
    super();
    this.#graph = graph;
    this.inputs = Object.fromEntries(graph.inputs);
    for (const [name, { data, shape }] of graph.constants)
      if (isTypedArrayOf(data, Float32Array) && shape.length > 0) this.#keep(name, tensor(data, { shape }) as Tensor);
  }

  /** Names of the outputs, in order. */
  get outputs(): readonly string[] {
    return this.#graph.outputs;
  }

  /** What is computed, in order; fused nodes begin with `silverlode:`. */
  get nodes(): readonly OnnxNode[] {
    return this.#graph.nodes.map(({ op, name }) => ({ op, node: name }));
  }

  /** Tensors by the names of the file's outputs. */
  forward(inputs: Readonly<Record<string, SymbolicTensor>>): Record<string, SymbolicTensor> {
    const values = new Map<string, Value>(Object.entries(inputs));
    for (const [name, constant] of this.#graph.constants) values.set(name, constant);
    const [anyInput] = Object.values(inputs);
    for (const node of this.#graph.nodes) {
      const [output] = node.outputs;
      values.set(output as string, this.#run(node, values, anyInput as SymbolicTensor));
    }
    return Object.fromEntries(
      this.outputs.map((name) => {
        const value = values.get(name);
        if (value && isTensor(value)) return [name, value];
        throw new SilverlodeError(
          'INVALID_ARGUMENT',
          `output '${name}' of the ONNX model does not depend on its inputs`,
          {
            output: name,
          },
        );
      }),
    );
  }

  /** Nodes with operators that are not among the known ones, and whose values are not known beforehand. */
  unsupported(known: ReadonlySet<string>): OnnxNode[] {
    const FOLDED = ['Shape', 'Slice', 'Transpose', 'Sqrt', 'Neg', 'ConstantOfShape'];
    return this.#graph.nodes
      .filter(({ op }) => !known.has(op) && !FOLDED.includes(op))
      .map(({ op, name }) => ({ op, node: name }));
  }

  #run(node: GraphNode, values: ReadonlyMap<string, Value>, anyInput: SymbolicTensor): Value {
    const inputs = node.inputs.map((name) => (name === '' ? undefined : values.get(name)));
    const folded = fold(node, inputs);
    if (folded) return folded;
    const lowering = LOWERINGS[node.op];
    try {
      if (lowering === undefined) throw new Unsupported('its inputs are computed');
      if (node.outputs.filter((name) => name !== '').length > 1 && node.op !== 'Dropout')
        throw new Unsupported('it has several results');
      return lowering(this.#operands(node, inputs, anyInput));
    } catch (error) {
      if (!(error instanceof Unsupported) && !(error instanceof SilverlodeError)) throw error;
      const message = `node '${node.name}' (${node.op}) of the ONNX model cannot be imported: ${error.message}`;
      const details = { node: node.name, unsupported: [{ op: node.op, node: node.name }] };
      throw new SilverlodeError('INVALID_ARGUMENT', message, details, { cause: error });
    }
  }

  #operands(node: GraphNode, inputs: readonly (Value | undefined)[], anyInput: SymbolicTensor): Operands {
    const constantAt = (at: number): Constant => {
      const value = inputs[at] && settled(inputs[at]);
      if (value && isConstant(value)) return value;
      throw new Unsupported(`its input ${at} is missing or computed`);
    };
    const parameter = (at: number, made?: Constant): AnyTensor => {
      const { data, shape } = made ?? constantAt(at);
      const own = made ? undefined : this.#kept(node.inputs[at] as string);
      return own ?? (tensor(data, { shape }) as Tensor);
    };
    return {
      node,
      value: (at) => inputs[at],
      tensor: (at) => {
        const value = inputs[at];
        if (value && isTensor(value)) return value;
        return anyInput.trace.constant(parameter(at) as Tensor);
      },
      parameter,
    };
  }

  #kept(name: string): Tensor | undefined {
    let scope: unknown = this;
    for (const part of name.split('.')) scope = (scope as Record<string, unknown> | undefined)?.[part];
    return scope instanceof Tensor ? scope : undefined;
  }

  /** As a field of the scopes that its name tells. */
  #keep(name: string, value: Tensor): void {
    const parts = name.split('.');
    if (parts.some((part) => part === '' || RESERVED.has(part)) || parts.length > 64)
      throw corrupt(name, 'has a name that a parameter cannot have');
    let scope = this as unknown as Record<string, unknown>;
    for (const part of parts.slice(0, -1)) {
      scope[part] ??= new Scope();
      if (!(scope[part] instanceof Scope)) throw corrupt(name, 'has a name that another tensor begins with');
      scope = scope[part] as unknown as Record<string, unknown>;
    }
    const last = parts.at(-1) as string;
    if (scope[last] !== undefined) throw corrupt(name, 'has a name that others begin with');
    scope[last] = value;
  }
}
