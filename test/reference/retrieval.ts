import { tensor } from 'silverlode';
import type { FilterNode } from '../../lib/filter/ast.js';
import type { Metric } from '../cases/ivf_index.js';
import { type Attribute, matches } from './filter.js';
import { l2Normalize } from './l2_normalize.js';
import { int8Score, type Quantized, quantizedRow, squaredNorm } from './metric.js';
import { byRank, plainScore, type Ranked } from './order.js';
import { quantizeInt8 } from './quantize_int8.js';

/** A catalogue as `publish` gets it; items are known by their ordinal. */
export interface ReferenceCatalogue {
  readonly items: number;
  readonly dims: number;
  readonly data: Float32Array<ArrayBuffer>;
  readonly metric?: Metric;
  readonly bias?: ArrayLike<number>;
  readonly attributes?: readonly Attribute[];
}

export interface ReferenceRequest {
  readonly heads: readonly Float32Array[];
  readonly k: number;
  readonly filter?: FilterNode | undefined;
  readonly exclude?: ReadonlySet<number> | undefined;
}

/** Retrieval as it is meant: quantise everything, score every eligible item with every head, sort in full. */
export class ReferenceRetrieval {
  private readonly rows: readonly Quantized[];

  constructor(private readonly catalogue: ReferenceCatalogue) {
    this.rows = this.quantize(catalogue.data);
  }

  retrieve(request: ReferenceRequest): Ranked[] {
    const heads = request.heads.flatMap((head) => this.quantize(Float32Array.from(head)));
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

  private score(query: Quantized, item: number): number {
    const { metric = 'ip', bias } = this.catalogue;
    const row = this.rows[item] as Quantized;
    const own = bias?.[item] ?? 0;
    if (metric === 'l2') return int8Score(query, row, Math.fround(-squaredNorm(row) / 2 + own), metric);
    return int8Score(query, row, bias && own, metric);
  }

  private quantize(data: Float32Array<ArrayBuffer>): Quantized[] {
    const { dims, metric } = this.catalogue;
    const shape = [data.length / dims, dims];
    const vectors = metric === 'cosine' ? l2Normalize({ x: tensor(data, { shape }) }) : data;
    const { quantized, scales } = quantizeInt8({ values: tensor(vectors, { shape }) });
    const width = quantized.length / scales.length;
    return Array.from(scales, (_, row) => quantizedRow(quantized, scales, width, row));
  }
}
