// Operators on values that are known when a model is imported: shapes and the arithmetic on them.
import type { Dim } from '../tensor/shape.js';
import type { GraphNode } from './graph.js';
import { isConstant, isTensor, type Sizes, settled, sizesOf, transposed, type Value } from './values.js';

/** The result of a node whose inputs are all known; undefined where it must be computed, or cannot be. */
export function fold(node: GraphNode, inputs: readonly (Value | undefined)[]): Value | undefined {
  if (node.op === 'Shape') return shapeOf(node, inputs[0]);
  if (inputs.some((value) => value !== undefined && isTensor(value))) return undefined;
  const [first] = inputs;
  if (first === undefined) return undefined;
  const sizes = inputs.map((value) => value && sizesOf(value));
  const result =
    ofSizes(node, sizes) ??
    ofConstants(
      node,
      inputs.map((value) => value && settled(value)),
    );
  return result && settled(result);
}

function shapeOf({ attributes }: GraphNode, value: Value | undefined): Sizes | undefined {
  if (value === undefined) return undefined;
  const shape: readonly Dim[] = isTensor(value) || isConstant(value) ? value.shape : [value.sizes.length];
  return {
    sizes: shape.slice(attributes.get('start')?.i ?? 0, attributes.get('end')?.i ?? shape.length),
    scalar: false,
  };
}

function ofSizes({ op, attributes }: GraphNode, inputs: readonly (Sizes | undefined)[]): Sizes | undefined {
  const [a, b] = inputs;
  if (!a) return undefined;
  const list = (sizes: readonly Dim[]): Sizes => ({ sizes, scalar: false });
  switch (op) {
    case 'Identity':
    case 'Cast':
      return a;
    case 'Unsqueeze':
      return a.scalar ? list(a.sizes) : undefined;
    case 'Squeeze':
      return a.sizes.length === 1 ? { sizes: a.sizes, scalar: true } : undefined;
    case 'Reshape':
      return b && b.sizes.length <= 1 && a.sizes.length === 1
        ? { sizes: a.sizes, scalar: b.sizes.length === 0 }
        : undefined;
    case 'Concat':
      return inputs.every((each) => each && !each.scalar)
        ? list(inputs.flatMap((each) => each?.sizes ?? []))
        : undefined;
    case 'Gather': {
      if (!b || (attributes.get('axis')?.i ?? 0) !== 0 || a.scalar) return undefined;
      const picked = b.sizes.map((at) => (typeof at === 'number' ? a.sizes.at(at) : undefined));
      return picked.every((size) => size !== undefined) ? { sizes: picked as Dim[], scalar: b.scalar } : undefined;
    }
    case 'Slice': {
      const [, start, end, axes, steps] = inputs;
      const [from, to] = [start?.sizes[0], end?.sizes[0]];
      const isPlain = (axes?.sizes[0] ?? 0) === 0 && (steps?.sizes[0] ?? 1) === 1;
      return isPlain && typeof from === 'number' && typeof to === 'number' ? list(a.sizes.slice(from, to)) : undefined;
    }
    case 'Mul':
    case 'Add':
    case 'Sub':
    case 'Div':
      return b && arithmetic(op, a, b);
    default:
      return undefined;
  }
}

function arithmetic(op: string, a: Sizes, b: Sizes): Sizes | undefined {
  const count = Math.max(a.sizes.length, b.sizes.length);
  const sizes: Dim[] = [];
  for (let i = 0; i < count; i++) {
    const [x, y] = [a.sizes[a.sizes.length === 1 ? 0 : i], b.sizes[b.sizes.length === 1 ? 0 : i]];
    if (typeof x === 'number' && typeof y === 'number') {
      if (op === 'Div' && y === 0) return undefined;
      sizes.push(op === 'Mul' ? x * y : op === 'Add' ? x + y : op === 'Sub' ? x - y : Math.trunc(x / y));
    } else if (op === 'Mul' && (x === 1 || y === 1)) sizes.push((x === 1 ? y : x) as Dim);
    else if (op === 'Div' && y === 1) sizes.push(x as Dim);
    else return undefined;
  }
  return { sizes, scalar: a.scalar && b.scalar };
}

function ofConstants({ op, attributes }: GraphNode, inputs: readonly (Value | undefined)[]): Value | undefined {
  const [a] = inputs;
  if (!a || !isConstant(a)) return undefined;
  switch (op) {
    case 'Identity':
    case 'Dropout':
      return a;
    case 'Transpose': {
      const order = attributes.get('perm')?.ints ?? a.shape.map((_, axis) => a.shape.length - 1 - axis);
      const isOrder = order.length === a.shape.length && a.shape.every((_, axis) => order.includes(axis));
      return isOrder ? transposed(a, order) : undefined;
    }
    case 'Sqrt':
      return { ...a, data: a.data.map(Math.sqrt) };
    case 'Neg':
      return { ...a, data: a.data.map((value) => -value) };
    default:
      return undefined;
  }
}
