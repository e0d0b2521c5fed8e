// Groups of nodes that are one op here: how exporters write what ONNX has, or had, no operator for.
import type { Constant } from './constants.js';
import type { Graph, GraphNode } from './graph.js';

/** Names of fused operators begin so, and no operator of a file can. */
export const FUSED = 'silverlode:';

const ACTIVATIONS: Readonly<Record<string, string>> = {
  Relu: 'relu',
  Sigmoid: 'sigmoid',
  Tanh: 'tanh',
  [`${FUSED}gelu`]: 'gelu',
  Gelu: 'gelu',
};

/** Replaces groups by one node each: gelu, layer normalisation, unit length, then linear layers with bias and activation. */
export function fuse(graph: Graph): Graph {
  let nodes = graph.nodes;
  for (const rule of [gelu, layerNorm, unitLength, matMulAdd, activated])
    nodes = new Rewriter({ ...graph, nodes }).apply(rule);
  return { ...graph, nodes };
}

type Rule = (last: GraphNode, graph: Rewriter) => Replacement | undefined;

interface Replacement {
  op: string;
  inputs: string[];
  /** Nodes that go, beside the last one. */
  gone: GraphNode[];
  attributes?: GraphNode['attributes'];
  activation?: string;
}

class Rewriter {
  readonly #source = new Map<string, GraphNode>();
  readonly #uses = new Map<string, number>();

  constructor(private readonly graph: Graph) {
    for (const node of graph.nodes) {
      for (const name of node.outputs) this.#source.set(name, node);
      for (const name of node.inputs) this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
    }
    for (const name of graph.outputs) this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
  }

  apply(rule: Rule): GraphNode[] {
    const gone = new Set<GraphNode>();
    const made = new Map<GraphNode, GraphNode>();
    for (const node of this.graph.nodes) {
      if (gone.has(node)) continue;
      const found = rule(node, this);
      if (found === undefined || found.gone.some((each) => gone.has(each) || made.has(each))) continue;
      for (const each of found.gone) gone.add(each);
      const attributes = found.attributes ?? node.attributes;
      const activation = found.activation === undefined ? {} : { activation: found.activation };
      made.set(node, { ...node, ...activation, op: found.op, inputs: found.inputs, attributes });
    }
    return this.graph.nodes.filter((node) => !gone.has(node)).map((node) => made.get(node) ?? node);
  }

  /** The node that gives a value to one user alone, of this operator. */
  only(name: string | undefined, op: string): GraphNode | undefined {
    const node = this.#source.get(name ?? '');
    return node?.op === op && this.#uses.get(name ?? '') === node.outputs.length ? node : undefined;
  }

  /** The node of this operator that gives a value to any number of users. */
  from(name: string | undefined, op: string): GraphNode | undefined {
    const node = this.#source.get(name ?? '');
    return node?.op === op ? node : undefined;
  }

  uses(name: string): number {
    return this.#uses.get(name) ?? 0;
  }

  constant(name: string | undefined): Constant | undefined {
    return this.graph.constants.get(name ?? '');
  }

  /** Whether a value is this one number. */
  is(name: string | undefined, value: number): boolean {
    const constant = this.constant(name);
    return constant?.data.length === 1 && Math.abs((constant.data[0] as number) - value) <= 1e-6 * Math.abs(value);
  }

  /** The input of a node of two that a test does not hold for; undefined where it holds for none or both. */
  other(node: GraphNode | undefined, holds: (name: string) => boolean): string | undefined {
    const [a, b] = node?.inputs ?? [];
    if (a === undefined || b === undefined || holds(a) === holds(b)) return undefined;
    return holds(a) ? b : a;
  }
}

/** `x * (erf(x / √2) + 1) * 0.5`, multiplied in any order. */
function gelu(last: GraphNode, graph: Rewriter): Replacement | undefined {
  if (last.op !== 'Mul') return undefined;
  const isHalf = (name: string) => graph.is(name, 0.5);
  const isOne = (name: string) => graph.is(name, 1);
  const shifted = (name: string | undefined) => {
    const sum = graph.only(name, 'Add');
    const erf = graph.only(graph.other(sum, isOne), 'Erf');
    const division = graph.only(erf?.inputs[0], 'Div');
    const scaled = division ?? graph.only(erf?.inputs[0], 'Mul');
    const isScale = (each: string) => graph.is(each, division ? Math.SQRT2 : Math.SQRT1_2);
    const x = division && !isScale(division.inputs[1] as string) ? undefined : graph.other(scaled, isScale);
    return sum && erf && scaled && x !== undefined ? { x, nodes: [sum, erf, scaled] } : undefined;
  };
  // (x * (erf + 1)) * 0.5
  const product = graph.only(graph.other(last, isHalf), 'Mul');
  if (product) {
    for (const [a, b] of [product.inputs, product.inputs.toReversed()]) {
      const found = shifted(b);
      if (found && found.x === a) return { op: `${FUSED}gelu`, inputs: [found.x], gone: [product, ...found.nodes] };
    }
  }
  // (x * 0.5) * (erf + 1), and x * ((erf + 1) * 0.5)
  for (const [a, b] of [last.inputs, last.inputs.toReversed()]) {
    const half = graph.only(a, 'Mul');
    const found = shifted(b);
    if (half && found && graph.other(half, isHalf) === found.x)
      return { op: `${FUSED}gelu`, inputs: [found.x], gone: [half, ...found.nodes] };
    const halved = graph.only(b, 'Mul');
    const inner = shifted(halved && graph.other(halved, isHalf));
    if (halved && inner && inner.x === a)
      return { op: `${FUSED}gelu`, inputs: [inner.x], gone: [halved, ...inner.nodes] };
  }
  return undefined;
}

/** `(x - mean) / sqrt(mean of squares + ε) * weight + bias` over the last axis. */
function layerNorm(last: GraphNode, graph: Rewriter): Replacement | undefined {
  const isParameter = (name: string) => graph.constant(name)?.shape.length === 1;
  const bias = last.op === 'Add' ? last.inputs.find(isParameter) : undefined;
  const scaled = graph.only(graph.other(last, isParameter), 'Mul');
  const weight = scaled?.inputs.find(isParameter);
  const quotient = graph.only(graph.other(scaled ?? last, isParameter), 'Div');
  const [above, below] = quotient?.inputs ?? [];
  const root = graph.only(below, 'Sqrt');
  const sum = graph.only(root?.inputs[0], 'Add');
  const epsilon = sum?.inputs.find((name) => graph.constant(name)?.data.length === 1);
  const variance = graph.only(
    sum?.inputs.find((name) => name !== epsilon),
    'ReduceMean',
  );
  const square = graph.only(variance?.inputs[0], 'Pow') ?? graph.only(variance?.inputs[0], 'Mul');
  const centred = graph.from(above, 'Sub');
  const mean = graph.only(centred?.inputs[1], 'ReduceMean');
  if (!scaled || !quotient || !root || !sum || !variance || !square || !centred || !mean) return undefined;
  if (bias === undefined || weight === undefined || epsilon === undefined || mean.inputs[0] !== centred.inputs[0])
    return undefined;
  const isSquare =
    square.op === 'Pow'
      ? square.inputs[0] === above && graph.is(square.inputs[1], 2)
      : square.inputs.every((name) => name === above);
  const uses = square.op === 'Pow' ? 2 : 3;
  if (!isSquare || graph.uses(above as string) !== uses || ![mean, variance].every((node) => overLast(node, graph)))
    return undefined;
  return {
    op: `${FUSED}layer_norm`,
    inputs: [centred.inputs[0] as string, weight, bias, epsilon],
    gone: [scaled, quotient, root, sum, variance, square, centred, mean],
  };
}

/** Whether a reduction keeps its rank and goes over the last axis, named as -1. */
function overLast({ attributes, inputs }: GraphNode, graph: Rewriter): boolean {
  const axes = attributes.get('axes')?.ints ?? [...(graph.constant(inputs[1])?.data ?? [])];
  return axes.length === 1 && axes[0] === -1 && (attributes.get('keepdims')?.i ?? 1) === 1;
}

/** `x / max(|x|, ε)`: what `normalize` becomes. */
function unitLength(last: GraphNode, graph: Rewriter): Replacement | undefined {
  if (last.op !== 'Div') return undefined;
  const [x, length] = last.inputs;
  const expanded = graph.only(length, 'Expand');
  const inner = expanded ? expanded.inputs[0] : length;
  const clipped = graph.only(inner, 'Clip') ?? graph.only(inner, 'Max');
  const least = clipped && graph.constant(clipped.inputs[1])?.data[0];
  const norm = graph.only(clipped ? clipped.inputs[0] : inner, 'ReduceL2');
  if (!norm || norm.inputs[0] !== x || !overLast(norm, graph)) return undefined;
  if (clipped && (least === undefined || least > 1e-6 || clipped.inputs[2])) return undefined;
  const gone = [norm, ...(clipped ? [clipped] : []), ...(expanded ? [expanded] : [])];
  return { op: `${FUSED}l2_normalize`, inputs: [x as string], gone };
}

/** A product by a constant matrix and a bias. */
function matMulAdd(last: GraphNode, graph: Rewriter): Replacement | undefined {
  if (last.op !== 'Add') return undefined;
  const bias = last.inputs.find((name) => graph.constant(name)?.shape.length === 1);
  const product = graph.only(
    last.inputs.find((name) => name !== bias),
    'MatMul',
  );
  const weight = graph.constant(product?.inputs[1]);
  if (
    bias === undefined ||
    !product ||
    weight?.shape.length !== 2 ||
    graph.constant(bias)?.shape[0] !== weight.shape[1]
  )
    return undefined;
  return { op: `${FUSED}linear`, inputs: [...product.inputs, bias], gone: [product], attributes: product.attributes };
}

/** An activation right behind a linear layer. */
function activated(last: GraphNode, graph: Rewriter): Replacement | undefined {
  const activation = ACTIVATIONS[last.op];
  if (activation === undefined || (last.op === 'Gelu' && isApproximate(last))) return undefined;
  for (const op of [`${FUSED}linear`, 'Gemm', 'MatMul']) {
    const layer = graph.only(last.inputs[0], op);
    if (layer && (op !== 'MatMul' || graph.constant(layer.inputs[1])))
      return { op, inputs: layer.inputs, gone: [layer], attributes: layer.attributes, activation };
  }
  return undefined;
}

export function isApproximate({ attributes }: GraphNode): boolean {
  const text = attributes.get('approximate')?.s;
  return text !== undefined && text.length > 0 && Buffer.from(text).toString('utf8') !== 'none';
}
