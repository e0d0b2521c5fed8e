// A reranker network 192 → 256 → 128 → 4 over pairs of one user and many candidates, in the ways that Silverlode can run it.
import { ops, type SymbolicTensor, type Tensor, tensor } from 'silverlode';
import { Random } from '../../lib/data/random.js';
import { FixedCall } from '../parts/recorded.js';

/** Of an embedding; a pair is `[user, item, user * item]`. */
export const DIM = 64;
export const SIZES = [3 * DIM, 256, 128, 4] as const;

/** Everything that the sides compute with. */
export interface RerankData {
  candidates: number;
  user: Float32Array;
  /** Four times as many items as candidates. */
  items: Float32Array;
  /** The item of each candidate. */
  index: Int32Array;
  weights: Float32Array[];
  biases: Float32Array[];
  /** A square matrix for the ceiling. */
  square: Float32Array;
}

export function makeRerankData(candidates: number, squareSide: number): RerankData {
  const random = new Random(1);
  const normals = (count: number, scale: number) => Float32Array.from({ length: count }, () => scale * random.normal());
  const items = 4 * candidates;
  const layers = SIZES.slice(1).map((outputs, layer) => ({ outputs, inputs: SIZES[layer] as number }));
  return {
    candidates,
    user: normals(DIM, 1),
    items: normals(items * DIM, 1),
    index: Int32Array.from({ length: candidates }, () => random.integer(items)),
    weights: layers.map(({ inputs, outputs }) => normals(outputs * inputs, Math.sqrt(2 / inputs))),
    biases: layers.map(({ outputs }) => normals(outputs, 0.1)),
    square: normals(squareSide ** 2, 1),
  };
}

/** Multiplications and additions of the network as plain matrix products. */
export function plainOperations(candidates: number): number {
  return SIZES.slice(1).reduce((sum, outputs, layer) => sum + 2 * candidates * outputs * (SIZES[layer] as number), 0);
}

/** `[user, item, user * item]` of every candidate, beforehand. */
function pairsOf({ candidates, user, items, index }: RerankData): Float32Array {
  const pairs = new Float32Array(candidates * 3 * DIM);
  for (let pair = 0; pair < candidates; pair++) {
    const item = (index[pair] as number) * DIM;
    for (let d = 0; d < DIM; d++) {
      const [u, i] = [user[d] as number, items[item + d] as number];
      pairs[pair * 3 * DIM + d] = u;
      pairs[pair * 3 * DIM + DIM + d] = i;
      pairs[pair * 3 * DIM + 2 * DIM + d] = u * i;
    }
  }
  return pairs;
}

/** The upper half of each float32, rounded to nearest even. */
export function toBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
}

type WeightType = 'float32' | 'bfloat16';

function layersOf({ weights, biases }: RerankData, type: WeightType): { weight: Tensor; bias: Tensor }[] {
  return weights.map((values, layer) => {
    const shape = [SIZES[layer + 1] as number, SIZES[layer] as number];
    const weight =
      type === 'float32' ? tensor(values, { shape }) : tensor(toBfloat16(values), { dtype: 'bfloat16', shape });
    return { weight: weight as Tensor, bias: tensor(biases[layer] as Float32Array) as Tensor };
  });
}

/** Pairs given: three matrix products. */
export function plainCall(data: RerankData, type: WeightType, threads: number): Promise<FixedCall<'x'>> {
  const x = tensor(pairsOf(data), { shape: [data.candidates, 3 * DIM] }) as Tensor;
  const layers = layersOf(data, type);
  const network = (pairs: SymbolicTensor): SymbolicTensor => {
    let result = pairs;
    for (const [layer, { weight, bias }] of layers.entries())
      result = ops.linear(result, weight, { bias, activation: layer === layers.length - 1 ? 'none' : 'relu' });
    return result;
  };
  return FixedCall.compile({ x }, ({ x: given }) => ({ logits: network(given) }), threads);
}

/** Items and their numbers given: the folded network. */
export function foldedCall(
  data: RerankData,
  type: WeightType,
  threads: number,
): Promise<FixedCall<'user' | 'embeddings' | 'embeddingIndex'>> {
  const inputs = {
    user: tensor(data.user, { shape: [1, 1, DIM] }) as Tensor,
    embeddings: tensor(data.items, { shape: [data.items.length / DIM, DIM] }) as Tensor,
    embeddingIndex: tensor(data.index, { shape: [1, data.candidates] }) as Tensor,
  };
  const layers = layersOf(data, type);
  return FixedCall.compile(inputs, (given) => ({ logits: ops.overArch({ ...given, layers }) }), threads);
}

/** A large square product. */
export function squareCall({ square }: RerankData, threads: number): Promise<FixedCall<'x'>> {
  const side = Math.sqrt(square.length);
  const weight = tensor(square, { shape: [side, side] }) as Tensor;
  const x = tensor(square, { shape: [side, side] }) as Tensor;
  return FixedCall.compile({ x }, ({ x: given }) => ({ y: ops.linear(given, weight) }), threads);
}

/** Largest difference, and root mean square, as shares of the root mean square of the reference. */
export function relativeError(values: ArrayLike<number>, reference: ArrayLike<number>): { worst: number; rms: number } {
  let worst = 0;
  let differences = 0;
  let squares = 0;
  for (let i = 0; i < reference.length; i++) {
    const difference = Math.abs((values[i] as number) - (reference[i] as number));
    worst = Math.max(worst, difference);
    differences += difference ** 2;
    squares += (reference[i] as number) ** 2;
  }
  const scale = Math.sqrt(squares / reference.length);
  return { worst: worst / scale, rms: Math.sqrt(differences / reference.length) / scale };
}
