import { tensor } from 'silverlode';
import type { FilterNode } from '../../lib/filter/ast.js';
import type { Metric } from '../cases/ivf_index.js';
import type { Input as RotateInput } from '../cases/rotate.js';
import { type Attribute, matches } from './filter.js';
import { l2Normalize } from './l2_normalize.js';
import { int8Score, type Quantized, quantizedRow, squaredNorm } from './metric.js';
import { byRank, plainScore, type Ranked } from './order.js';
import { quantizeInt8 } from './quantize_int8.js';
import { rotate } from './rotate.js';

/** A catalogue as `publish` gets it; items are known by their ordinal. */
export interface ReferenceCatalogue {
  readonly items: number;
  readonly dims: number;
  readonly data: Float32Array<ArrayBuffer>;
  readonly metric?: Metric;
  readonly bias?: ArrayLike<number>;
  readonly attributes?: readonly Attribute[];
}

/** Of a model whose items are centred and rotated. */
export interface ReferenceRotation {
  readonly mean: Float32Array;
  readonly signs: Int8Array;
  /** Whether queries lose their part along the mean too. */
  readonly aligned: boolean;
}

export interface ReferenceRequest {
  readonly heads: readonly Float32Array[];
  readonly k: number;
  readonly filter?: FilterNode | undefined;
  readonly exclude?: ReadonlySet<number> | undefined;
}

interface ReferenceQuery {
  readonly query: Quantized;
  /** Added to every score, and multiplied with the sum. */
  readonly offset: number;
  readonly factor: number;
}

/** Retrieval as it is meant: quantise everything, score every eligible item with every head, sort in full. */
export class ReferenceRetrieval {
  private readonly rows: readonly Quantized[];
  private readonly bias: ArrayLike<number> | undefined;

  constructor(
    private readonly catalogue: ReferenceCatalogue,
    private readonly rotation?: ReferenceRotation,
  ) {
    const { vectors, offsets } = this.transformed(catalogue.data, 'mean');
    this.rows = this.quantize(vectors);
    this.bias = rotation?.aligned ? offsets : catalogue.bias;
  }

  retrieve(request: ReferenceRequest): Ranked[] {
    const heads = request.heads.map((head) => this.query(Float32Array.from(head)));
    return this.eligible(request)
      .map((id) => ({ id, score: Math.max(...heads.map((head) => this.score(head, id))) }))
      .map(({ id, score }) => ({ id, score: plainScore(score) }))
      .sort(byRank)
      .slice(0, request.k);
  }

  /** The items that may be returned. */
  eligible({ filter, exclude }: Omit<ReferenceRequest, 'heads' | 'k'>): number[] {
    const { items, attributes = [] } = this.catalogue;
    return Array.from({ length: items }, (_, item) => item).filter(
      (item) => !exclude?.has(item) && (filter === undefined || matches(filter, attributes, item)),
    );
  }

  private score({ query, offset, factor }: ReferenceQuery, item: number): number {
    const { bias } = this;
    const { metric = 'ip' } = this.catalogue;
    const row = this.rows[item] as Quantized;
    const own = bias?.[item] ?? 0;
    if (metric === 'l2') return int8Score(query, row, Math.fround(-squaredNorm(row) / 2 + own), metric);
    const score = int8Score(query, row, bias && own, metric);
    return this.rotation ? Math.fround(Math.fround(score + offset) * factor) : score;
  }

  private query(head: Float32Array<ArrayBuffer>): ReferenceQuery {
    const subtract = this.catalogue.metric === 'l2' ? 'mean' : this.rotation?.aligned ? 'aligned' : 'nothing';
    const { vectors, offsets, factors } = this.transformed(head, subtract);
    return { query: this.quantize(vectors)[0] as Quantized, offset: offsets[0] ?? 0, factor: factors[0] ?? 1 };
  }

  /** Vectors of unit length for cosine, then centred and rotated where the model says so. */
  private transformed(data: Float32Array<ArrayBuffer>, subtract: RotateInput['subtract']) {
    const { dims, metric } = this.catalogue;
    const shape = [data.length / dims, dims];
    const x = tensor(data, { shape });
    const values = metric === 'cosine' ? tensor(l2Normalize({ x }), { shape }) : x;
    if (this.rotation === undefined)
      return { vectors: values.view() as Float32Array<ArrayBuffer>, offsets: [], factors: [] };
    const [mean, signs] = [tensor(this.rotation.mean), tensor(this.rotation.signs)];
    const { rotated, ...rest } = rotate({ values, signs, mean, subtract } as unknown as RotateInput);
    return { vectors: rotated as Float32Array<ArrayBuffer>, ...rest };
  }

  private quantize(vectors: Float32Array<ArrayBuffer>): Quantized[] {
    const dims = this.rotation?.signs.length ?? this.catalogue.dims;
    const shape = [vectors.length / dims, dims];
    const { quantized, scales } = quantizeInt8({ values: tensor(vectors, { shape }) });
    const width = quantized.length / scales.length;
    return Array.from(scales, (_, row) => quantizedRow(quantized, scales, width, row));
  }
}
