// Checked requests to program inputs.
import { encodePlans } from '../index/filter_index.js';
import type { InputSpecs } from '../program/compile.js';
import type { InputSpec } from '../program/trace.js';
import { ArrayBlock } from '../tensor/array_block.js';
import type { TensorArray } from '../tensor/dtype.js';
import type { Manifest } from './manifest.js';
import { type CheckedRequest, raggedSpec } from './requests.js';

/** Inputs of one native run, by program input name, and the sizes that follow from them. */
export interface EncodedBatch {
  inputs: Map<string, TensorArray>;
  symbols: Record<string, number>;
}

const NOTHING: ArrayLike<number> = [];

/** Lays checked requests out as program inputs; all of one kind and number of heads. */
export function encodeBatch(requests: readonly CheckedRequest[], manifest: Manifest): EncodedBatch {
  const inputs = new Map<string, TensorArray>();
  const block = new ArrayBlock();
  const batch = requests.length;
  const symbols: Record<string, number> = { batch };
  const [first] = requests as [CheckedRequest];
  if (first.user instanceof Float32Array) {
    inputs.set(
      'embedding',
      block.join('float32', requests, ({ user }) => user as Float32Array),
    );
    symbols.heads = first.heads;
  } else {
    encodeTower(
      requests.map(({ user }) => user as ReadonlyMap<string, ArrayLike<number>>),
      manifest.tower as InputSpecs,
      block,
      inputs,
      symbols,
    );
  }
  const perRequest = (numberOf: (request: CheckedRequest) => number) => block.from('int32', requests, numberOf);
  inputs.set(
    'request.limits',
    perRequest(({ candidates }) => candidates),
  );
  inputs.set(
    'request.probes',
    perRequest(({ probes }) => probes),
  );
  inputs.set(
    'request.minCandidates',
    perRequest(({ minCandidates }) => minCandidates),
  );
  inputs.set(
    'request.exact',
    perRequest(({ exact }) => Number(exact)),
  );
  const plans = encodePlans(
    requests.map(({ plan }) => plan),
    block,
  );
  inputs.set('request.planIndex', plans.index);
  inputs.set('request.planOffsets', plans.offsets);
  inputs.set('request.planSteps', plans.steps);
  const excluded = ({ excludeRows }: CheckedRequest) => excludeRows ?? NOTHING;
  const excludeRows = block.join('int32', requests, excluded);
  inputs.set('request.excludeOffsets', block.offsets(requests, excluded));
  inputs.set('request.excludeRows', excludeRows);
  if (manifest.weights.length > 0)
    inputs.set(
      'weights',
      block.join('float32', requests, ({ weights }) => weights),
    );
  symbols.k = largest(requests, ({ k }) => k);
  symbols.candidates = largest(requests, ({ candidates }) => candidates);
  symbols.plan_offsets = plans.offsets.length;
  symbols.plan_steps = plans.steps.length / 4;
  symbols.exclude_rows = excludeRows.length;
  return { inputs, symbols };
}

function largest(requests: readonly CheckedRequest[], numberOf: (request: CheckedRequest) => number): number {
  return requests.reduce((most, request) => Math.max(most, numberOf(request)), 0);
}

function encodeTower(
  users: readonly ReadonlyMap<string, ArrayLike<number>>[],
  specs: InputSpecs,
  block: ArrayBlock,
  inputs: Map<string, TensorArray>,
  symbols: Record<string, number>,
): void {
  for (const [name, spec] of Object.entries(specs)) {
    const listOf = (user: ReadonlyMap<string, ArrayLike<number>>) => user.get(name) as ArrayLike<number>;
    const ragged = raggedSpec(spec);
    const values = block.join((ragged ?? (spec as InputSpec)).dtype, users, listOf);
    if (ragged === undefined) {
      inputs.set(`user.${name}`, values);
      continue;
    }
    inputs.set(`user.${name}.values`, values);
    inputs.set(`user.${name}.offsets`, block.offsets(users, listOf));
    symbols[ragged.shape[0] as string] = values.length;
  }
}
