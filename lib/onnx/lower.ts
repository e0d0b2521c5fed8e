// ONNX operators as ops of ours, while a program is recorded.
import { concat } from '../ops/concat.js';
import { add, gelu, multiply, relu, sigmoid, tanh } from '../ops/elementwise.js';
import { gatherRows } from '../ops/gather_rows.js';
import { l2Normalize } from '../ops/l2_normalize.js';
import { layerNorm } from '../ops/layer_norm.js';
import { type Activation, linear } from '../ops/linear.js';
import { reshape } from '../ops/reshape.js';
import type { AnyTensor, SymbolicTensor } from '../program/trace.js';
import type { Dim } from '../tensor/shape.js';
import type { Constant } from './constants.js';
import { FUSED, isApproximate } from './fuse.js';
import type { GraphNode } from './graph.js';
import { isConstant, isTensor, resolvedShape, sizesOf, transposed, type Value } from './values.js';

/** What a node cannot do here: the reason, in words. */
export class Unsupported extends Error {}

/** Inputs of a node, as it needs them. */
export interface Operands {
  node: GraphNode;
  value(input: number): Value | undefined;
  /** A tensor of the program: a constant becomes one. */
  tensor(input: number): SymbolicTensor;
  /** The tensor of a constant of the file, under its own name, or `made` from it. */
  parameter(input: number, made?: Constant): AnyTensor;
}

type Lowering = (operands: Operands) => Value;

const attribute = ({ node }: Operands, name: string, fallback: number): number =>
  node.attributes.get(name)?.i ?? fallback;

function constantOf(operands: Operands, input: number, what: string): Constant {
  const value = operands.value(input);
  if (value && isConstant(value)) return value;
  throw new Unsupported(`its ${what} is computed, not a constant`);
}

const rank = ({ shape }: SymbolicTensor): number => shape.length;

function requireLast(axis: number, x: SymbolicTensor): void {
  if (axis !== -1 && axis !== rank(x) - 1)
    throw new Unsupported(`it works on axis ${axis}, here the last one is possible alone`);
}

/** x Wᵀ + b, where the file has W or its transpose. */
function linearLayer(
  operands: Operands,
  weight: Constant,
  isTransposed: boolean,
  bias: number | undefined,
): SymbolicTensor {
  if (weight.shape.length !== 2) throw new Unsupported('its second factor is no matrix');
  const matrix = isTransposed ? operands.parameter(1) : operands.parameter(1, transposed(weight, [1, 0]));
  const activation = (operands.node.activation ?? 'none') as Activation;
  return linear(operands.tensor(0), matrix, {
    activation,
    ...(bias !== undefined && operands.value(bias) && { bias: operands.parameter(bias) }),
  });
}

function gemm(operands: Operands): SymbolicTensor {
  const { attributes } = operands.node;
  const [alpha, beta] = [attributes.get('alpha')?.f ?? 1, attributes.get('beta')?.f ?? 1];
  if (alpha !== 1 || beta !== 1 || attribute(operands, 'transA', 0) !== 0)
    throw new Unsupported('it scales, or transposes its first factor');
  const weight = constantOf(operands, 1, 'second factor');
  const out = weight.shape[attribute(operands, 'transB', 0) === 1 ? 0 : 1];
  const bias = operands.value(2);
  if (bias && (!isConstant(bias) || bias.shape.length !== 1 || bias.shape[0] !== out))
    throw new Unsupported('its bias is no constant of one number per output');
  return linearLayer(operands, weight, attribute(operands, 'transB', 0) === 1, 2);
}

/** A constant spread to a suffix of a shape, as element-wise ops take it. */
function spread({ data, shape }: Constant, like: readonly Dim[]): Constant {
  const lead = shape.findIndex((dim) => dim !== 1);
  const core = lead < 0 ? [] : shape.slice(lead);
  const last = like.at(-1);
  if (core.length === 0) {
    if (typeof last !== 'number') throw new Unsupported('a number meets a tensor whose last dimension is open');
    return { data: new Float32Array(last).fill(data[0] ?? 0), shape: [last] };
  }
  return { data, shape: core };
}

function binary(
  apply: (a: SymbolicTensor, b: AnyTensor) => SymbolicTensor,
  change?: (value: number) => number,
): Lowering {
  return (operands) => {
    const [a, b] = [operands.value(0), operands.value(1)];
    if (a && b && isTensor(a) && isTensor(b)) {
      if (change) throw new Unsupported('both sides are computed');
      return rank(a) >= rank(b) ? apply(a, b) : apply(b, a);
    }
    const at = a && isConstant(a) ? 0 : 1;
    if (change && at === 0) throw new Unsupported('its first side is a constant');
    const x = operands.tensor(1 - at);
    const constant = constantOf(operands, at, 'other side');
    const made = spread(change ? { ...constant, data: Float32Array.from(constant.data, change) } : constant, x.shape);
    return apply(x, made === constant ? operands.parameter(at) : operands.parameter(at, made));
  };
}

const unary =
  (apply: (x: SymbolicTensor) => SymbolicTensor): Lowering =>
  (operands) =>
    apply(operands.tensor(0));

function toShape(operands: Operands, target: readonly Dim[]): SymbolicTensor {
  const x = operands.tensor(0);
  const shape = resolvedShape(target, x.shape);
  if (!shape) throw new Unsupported(`it gives the shape [${target.join(', ')}], whose sizes multiply open dimensions`);
  return reshape(x, shape);
}

function axesOf(operands: Operands): number[] | undefined {
  const listed = operands.value(1);
  if (listed === undefined) return operands.node.attributes.get('axes')?.ints;
  const sizes = sizesOf(listed)?.sizes;
  if (!sizes || sizes.some((size) => typeof size !== 'number')) throw new Unsupported('its axes are computed');
  return sizes as number[];
}

/** By operator. What is not in here is refused when a model is imported. */
export const LOWERINGS: Readonly<Record<string, Lowering>> = {
  Identity: unary((x) => x),
  Dropout: unary((x) => x),
  Relu: unary(relu),
  Sigmoid: unary(sigmoid),
  Tanh: unary(tanh),
  Gelu: (operands) => {
    if (isApproximate(operands.node)) throw new Unsupported('it is the form with tanh');
    return gelu(operands.tensor(0));
  },
  [`${FUSED}gelu`]: unary(gelu),
  [`${FUSED}l2_normalize`]: unary(l2Normalize),
  LpNormalization: (operands) => {
    const x = operands.tensor(0);
    requireLast(attribute(operands, 'axis', -1), x);
    if (attribute(operands, 'p', 2) !== 2) throw new Unsupported('its norm is not the Euclidean one');
    return l2Normalize(x);
  },
  Cast: (operands) => {
    const [x, to] = [operands.tensor(0), attribute(operands, 'to', 0)];
    const wanted = to === 1 ? 'float32' : to === 6 || to === 7 ? 'int32' : undefined;
    if (wanted !== x.dtype) throw new Unsupported(`it makes ${x.dtype} to ONNX type ${to}`);
    return x;
  },
  Add: binary(add),
  Mul: binary(multiply),
  Sub: binary(add, (value) => -value),
  Div: binary(multiply, (value) => 1 / value),
  Gemm: gemm,
  MatMul: (operands) => linearLayer(operands, constantOf(operands, 1, 'second factor'), false, undefined),
  [`${FUSED}linear`]: (operands) => linearLayer(operands, constantOf(operands, 1, 'second factor'), false, 2),
  LayerNormalization: (operands) => {
    const x = operands.tensor(0);
    requireLast(attribute(operands, 'axis', -1), x);
    const epsilon = operands.node.attributes.get('epsilon')?.f ?? 1e-5;
    const bias = operands.value(2) && operands.parameter(2);
    return layerNorm(x, { epsilon, weight: operands.parameter(1), ...(bias && { bias }) });
  },
  [`${FUSED}layer_norm`]: (operands) => {
    const [epsilon = 1e-5] = constantOf(operands, 3, 'ε').data;
    return layerNorm(operands.tensor(0), { epsilon, weight: operands.parameter(1), bias: operands.parameter(2) });
  },
  Concat: (operands) => {
    const parts = operands.node.inputs.map((_, i) => operands.tensor(i));
    requireLast(attribute(operands, 'axis', -1), parts[0] as SymbolicTensor);
    const joined = (list: readonly SymbolicTensor[]): SymbolicTensor =>
      list.length <= 8 ? concat(list) : joined([concat(list.slice(0, 8)), ...list.slice(8)]);
    return joined(parts);
  },
  Gather: (operands) => {
    if (attribute(operands, 'axis', 0) !== 0) throw new Unsupported('it takes from another axis than the first');
    const table = constantOf(operands, 0, 'table');
    const index = operands.tensor(1);
    if (table.shape.length !== 2 || index.dtype !== 'int32')
      throw new Unsupported('it looks up something else than rows of a matrix');
    return gatherRows(operands.parameter(0), index);
  },
  Flatten: (operands) => {
    const { shape } = operands.tensor(0);
    const axis = attribute(operands, 'axis', 1);
    return axis === 1 && shape.length > 0
      ? toShape(operands, [shape[0] as Dim, -1])
      : toShape(operands, flattened(shape, axis));
  },
  Reshape: (operands) => {
    const target = sizesOf(operands.value(1) as Value)?.sizes;
    if (!target) throw new Unsupported('its shape is computed from values');
    return toShape(operands, target);
  },
  Unsqueeze: (operands) => {
    const { shape } = operands.tensor(0);
    const axes = axesOf(operands) ?? [];
    const places = new Set(axes.map((axis) => (axis < 0 ? axis + shape.length + axes.length : axis)));
    const left = [...shape];
    const made = Array.from({ length: shape.length + axes.length }, (_, at) =>
      places.has(at) ? 1 : (left.shift() as Dim),
    );
    return reshape(operands.tensor(0), made);
  },
  Squeeze: (operands) => {
    const { shape } = operands.tensor(0);
    const axes = axesOf(operands)?.map((axis) => (axis < 0 ? axis + shape.length : axis));
    const kept = shape.filter((dim, axis) => (axes ? !axes.includes(axis) : dim !== 1));
    return reshape(operands.tensor(0), kept);
  },
};

function flattened(shape: readonly Dim[], axis: number): Dim[] {
  const at = axis < 0 ? axis + shape.length : axis;
  const product = (dims: readonly Dim[]): Dim => {
    if (dims.some((dim) => typeof dim === 'string')) {
      if (dims.length === 1) return dims[0] as Dim;
      throw new Unsupported('it multiplies open dimensions');
    }
    return (dims as number[]).reduce((all, dim) => all * dim, 1);
  };
  return [product(shape.slice(0, at)), product(shape.slice(at))];
}
