// Checked requests to program inputs.
import type { FilterPlan } from '../filter/plan.js';
import { encodePlans } from '../index/filter_index.js';
import type { InputSpecs } from '../program/compile.js';
import type { InputSpec } from '../program/trace.js';
import { DTYPES, type TensorArray } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { FreshName } from './fresh/inputs.js';
import type { Manifest } from './manifest.js';
import { type CheckedRequest, raggedSpec } from './requests.js';
import type { FreshVersion } from './version.js';

/** Inputs of one native run, by program input name, and the sizes that follow from them. */
export interface EncodedBatch {
  inputs: Map<string, TensorArray | Tensor>;
  symbols: Record<string, number>;
}

/** Lays checked requests out as program inputs; all of one kind and number of heads. */
export function encodeBatch(requests: readonly CheckedRequest[], manifest: Manifest): EncodedBatch {
  const inputs: EncodedBatch['inputs'] = new Map();
  const batch = requests.length;
  const symbols: Record<string, number> = { batch };
  const [first] = requests as [CheckedRequest];
  if (first.user instanceof Float32Array) {
    const users = new Float32Array(batch * first.user.length);
    requests.forEach(({ user }, b) => {
      users.set(user as Float32Array, b * (first.user as Float32Array).length);
    });
    inputs.set('embedding', users);
    symbols.heads = first.heads;
  } else {
    encodeTower(
      requests.map(({ user }) => user as ReadonlyMap<string, ArrayLike<number>>),
      manifest.tower as InputSpecs,
      inputs,
      symbols,
    );
  }
  inputs.set(
    'request.limits',
    Int32Array.from(requests, (request) => request.candidates),
  );
  inputs.set(
    'request.probes',
    Int32Array.from(requests, (request) => request.probes),
  );
  inputs.set(
    'request.minCandidates',
    Int32Array.from(requests, (request) => request.minCandidates),
  );
  inputs.set(
    'request.exact',
    Int32Array.from(requests, (request) => Number(request.exact)),
  );
  encodeEligible(
    requests.map(({ plan, excludeRows }) => ({ plan, excludeRows })),
    { names: MAIN_NAMES, symbolPrefix: '' },
    inputs,
    symbols,
  );
  if (manifest.weights.length > 0) {
    const weights = new Float32Array(batch * manifest.weights.length);
    requests.forEach((request, b) => {
      weights.set(request.weights, b * manifest.weights.length);
    });
    inputs.set('weights', weights);
  }
  symbols.k = Math.max(...requests.map((request) => request.k));
  symbols.candidates = Math.max(...requests.map((request) => request.candidates));
  return { inputs, symbols };
}

/** Adds what a program that also searches a fresh segment takes: its tensors, and plans and exclusions of its own. */
export function encodeFresh(
  requests: readonly CheckedRequest[],
  tensors: FreshVersion['tensors'],
  scored: boolean,
  { inputs, symbols }: EncodedBatch,
): void {
  for (const [name, tensor] of tensors) inputs.set(`fresh.${name}`, tensor);
  encodeEligible(
    requests.map(({ freshPlan, freshExcludeRows }) => ({ plan: freshPlan, excludeRows: freshExcludeRows })),
    { names: FRESH_NAMES, symbolPrefix: 'fresh_' },
    inputs,
    symbols,
  );
  const size = (name: FreshName) => tensors.get(name)?.shape[0] as number;
  symbols.fresh_rows = size('rows');
  symbols.fresh_slices = size('slices');
  symbols.fresh_positions = size('bloom');
  symbols.fresh_columns = size('columns64');
  symbols.fresh_terms = size('terms');
  if (scored)
    inputs.set(
      'fresh.pairs',
      Int32Array.from({ length: requests.length * (symbols.candidates as number) }, (_, pair) => pair),
    );
}

/** Names of the inputs that say which rows of a segment a request may have. */
interface EligibleNames {
  index: string;
  offsets: string;
  steps: string;
  excludeOffsets: string;
  excludeRows: string;
}

const MAIN_NAMES: EligibleNames = {
  index: 'request.planIndex',
  offsets: 'request.planOffsets',
  steps: 'request.planSteps',
  excludeOffsets: 'request.excludeOffsets',
  excludeRows: 'request.excludeRows',
};
const FRESH_NAMES: EligibleNames = {
  index: 'fresh.freshPlanIndex',
  offsets: 'fresh.freshPlanOffsets',
  steps: 'fresh.freshPlanSteps',
  excludeOffsets: 'fresh.freshExcludeOffsets',
  excludeRows: 'fresh.freshExcludeRows',
};

function encodeEligible(
  requests: readonly { plan: FilterPlan | undefined; excludeRows: Int32Array | undefined }[],
  { names, symbolPrefix }: { names: EligibleNames; symbolPrefix: string },
  inputs: EncodedBatch['inputs'],
  symbols: EncodedBatch['symbols'],
): void {
  const plans = encodePlans(requests.map(({ plan }) => plan));
  inputs.set(names.index, plans.index);
  inputs.set(names.offsets, plans.offsets);
  inputs.set(names.steps, plans.steps);
  const lists = requests.map(({ excludeRows }) => excludeRows ?? []);
  const excluded = concatenate(lists, 'int32');
  inputs.set(names.excludeOffsets, excluded.offsets.slice(0, -1));
  inputs.set(names.excludeRows, excluded.values);
  symbols[`${symbolPrefix}plan_offsets`] = plans.offsets.length;
  symbols[`${symbolPrefix}plan_steps`] = plans.steps.length / 4;
  symbols[`${symbolPrefix}exclude_rows`] = excluded.values.length;
}

function encodeTower(
  users: readonly ReadonlyMap<string, ArrayLike<number>>[],
  specs: InputSpecs,
  inputs: EncodedBatch['inputs'],
  symbols: Record<string, number>,
): void {
  for (const [name, spec] of Object.entries(specs)) {
    const lists = users.map((user) => user.get(name) as ArrayLike<number>);
    const ragged = raggedSpec(spec);
    const { values, offsets } = concatenate(lists, (ragged ?? (spec as InputSpec)).dtype);
    if (ragged === undefined) {
      inputs.set(`user.${name}`, values);
      continue;
    }
    inputs.set(`user.${name}.values`, values);
    inputs.set(`user.${name}.offsets`, offsets.slice(0, -1));
    symbols[ragged.shape[0] as string] = values.length;
  }
}

function concatenate(
  lists: readonly ArrayLike<number>[],
  dtype: InputSpec['dtype'],
): { values: TensorArray; offsets: Int32Array<ArrayBuffer> } {
  const offsets = new Int32Array(lists.length + 1);
  lists.forEach((list, i) => {
    offsets[i + 1] = (offsets[i] as number) + list.length;
  });
  const values = new DTYPES[dtype].array(offsets.at(-1) as number) as Float32Array<ArrayBuffer>;
  lists.forEach((list, i) => {
    values.set(list, offsets[i]);
  });
  return { values, offsets };
}
