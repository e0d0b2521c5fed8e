// Checked requests to program inputs.
import type { FilterPlan } from '../filter/plan.js';
import { encodePlans } from '../index/filter_index.js';
import type { InputSpecs } from '../program/compile.js';
import type { InputSpec } from '../program/trace.js';
import { ArrayBlock } from '../tensor/array_block.js';
import type { TensorArray } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import { raggedSpec } from './ask/user.js';
import type { FreshName } from './fresh/inputs.js';
import type { Manifest } from './manifest.js';
import type { CheckedRequest } from './requests.js';
import type { FreshVersion } from './version.js';

/** Inputs of one native run, by program input name, and the sizes that follow from them. */
export interface EncodedBatch {
  inputs: Map<string, TensorArray | Tensor>;
  symbols: Record<string, number>;
}

const NOTHING: ArrayLike<number> = [];

/** Lays checked requests out as program inputs; all of one kind and number of heads. */
export function encodeBatch(requests: readonly CheckedRequest[], manifest: Manifest): EncodedBatch {
  const inputs: EncodedBatch['inputs'] = new Map();
  const block = new ArrayBlock();
  const batch = requests.length;
  const symbols: Record<string, number> = { batch };
  const [first] = requests as [CheckedRequest];
  if (isTypedArrayOf(first.user, Float32Array)) {
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
    'request.allowedMisses',
    block.from('float32', requests, ({ allowedMisses }) => allowedMisses),
  );
  inputs.set(
    'request.minCandidates',
    perRequest(({ minCandidates }) => minCandidates),
  );
  inputs.set(
    'request.exact',
    perRequest(({ exact }) => Number(exact)),
  );
  encodeEligible(requests, MAIN, block, { inputs, symbols });
  if (manifest.weights.length > 0)
    inputs.set(
      'weights',
      block.join('float32', requests, ({ weights }) => weights),
    );
  symbols.k = largest(requests, ({ k }) => k);
  symbols.candidates = largest(requests, ({ candidates }) => candidates);
  return { inputs, symbols };
}

/** Adds what a program that also searches a fresh segment takes: its tensors, and plans and exclusions of its own. */
export function encodeFresh(
  requests: readonly CheckedRequest[],
  tensors: FreshVersion['tensors'],
  rankedAgain: boolean,
  { inputs, symbols }: EncodedBatch,
): void {
  const block = new ArrayBlock();
  for (const [name, tensor] of tensors) inputs.set(`fresh.${name}`, tensor);
  encodeEligible(requests, FRESH, block, { inputs, symbols });
  const size = (name: FreshName) => tensors.get(name)?.shape[0] as number;
  symbols.fresh_rows = size('rows');
  symbols.fresh_slices = size('slices');
  symbols.fresh_positions = size('bloom');
  symbols.fresh_columns = size('columns64');
  symbols.fresh_terms = size('terms');
  if (!rankedAgain) return;
  const pairs = block.array('int32', requests.length * (symbols.candidates as number));
  for (let pair = 0; pair < pairs.length; pair++) pairs[pair] = pair;
  inputs.set('fresh.pairs', pairs);
}

/** Where a segment's plans and exclusions come from, and the inputs and symbols they go to. */
interface Eligible {
  plan(request: CheckedRequest): FilterPlan | undefined;
  excludeRows(request: CheckedRequest): Int32Array | undefined;
  names: { index: string; offsets: string; steps: string; excludeOffsets: string; excludeRows: string };
  symbolPrefix: string;
}

const MAIN: Eligible = {
  plan: ({ plan }) => plan,
  excludeRows: ({ excludeRows }) => excludeRows,
  names: {
    index: 'request.planIndex',
    offsets: 'request.planOffsets',
    steps: 'request.planSteps',
    excludeOffsets: 'request.excludeOffsets',
    excludeRows: 'request.excludeRows',
  },
  symbolPrefix: '',
};
const FRESH: Eligible = {
  plan: ({ freshPlan }) => freshPlan,
  excludeRows: ({ freshExcludeRows }) => freshExcludeRows,
  names: {
    index: 'fresh.freshPlanIndex',
    offsets: 'fresh.freshPlanOffsets',
    steps: 'fresh.freshPlanSteps',
    excludeOffsets: 'fresh.freshExcludeOffsets',
    excludeRows: 'fresh.freshExcludeRows',
  },
  symbolPrefix: 'fresh_',
};

function encodeEligible(
  requests: readonly CheckedRequest[],
  { plan, excludeRows, names, symbolPrefix }: Eligible,
  block: ArrayBlock,
  { inputs, symbols }: EncodedBatch,
): void {
  const plans = encodePlans(requests.map(plan), block);
  inputs.set(names.index, plans.index);
  inputs.set(names.offsets, plans.offsets);
  inputs.set(names.steps, plans.steps);
  const excluded = (request: CheckedRequest) => excludeRows(request) ?? NOTHING;
  const rows = block.join('int32', requests, excluded);
  inputs.set(names.excludeOffsets, block.offsets(requests, excluded));
  inputs.set(names.excludeRows, rows);
  symbols[`${symbolPrefix}plan_offsets`] = plans.offsets.length;
  symbols[`${symbolPrefix}plan_steps`] = plans.steps.length / 4;
  symbols[`${symbolPrefix}exclude_rows`] = rows.length;
}

function largest(requests: readonly CheckedRequest[], numberOf: (request: CheckedRequest) => number): number {
  return requests.reduce((most, request) => Math.max(most, numberOf(request)), 0);
}

function encodeTower(
  users: readonly ReadonlyMap<string, ArrayLike<number>>[],
  specs: InputSpecs,
  block: ArrayBlock,
  inputs: EncodedBatch['inputs'],
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
