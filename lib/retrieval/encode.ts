// Checked requests to program inputs.
import { encodePlans } from '../index/filter_index.js';
import type { InputSpecs } from '../program/compile.js';
import type { InputSpec } from '../program/trace.js';
import { DTYPES, type TensorArray } from '../tensor/dtype.js';
import type { Manifest } from './manifest.js';
import { type CheckedRequest, raggedSpec } from './requests.js';

/** Inputs of one native run, by program input name, and the sizes that follow from them. */
export interface EncodedBatch {
  inputs: Map<string, TensorArray>;
  symbols: Record<string, number>;
}

/** Lays checked requests out as program inputs; all of one kind and number of heads. */
export function encodeBatch(requests: readonly CheckedRequest[], manifest: Manifest): EncodedBatch {
  const inputs = new Map<string, TensorArray>();
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
  const plans = encodePlans(requests.map((request) => request.plan));
  inputs.set('request.planIndex', plans.index);
  inputs.set('request.planOffsets', plans.offsets);
  inputs.set('request.planSteps', plans.steps);
  const excluded = concatenate(
    requests.map((request) => request.excludeRows ?? []),
    'int32',
  );
  inputs.set('request.excludeOffsets', excluded.offsets.slice(0, -1));
  inputs.set('request.excludeRows', excluded.values);
  if (manifest.weights.length > 0) {
    const weights = new Float32Array(batch * manifest.weights.length);
    requests.forEach((request, b) => {
      weights.set(request.weights, b * manifest.weights.length);
    });
    inputs.set('weights', weights);
  }
  symbols.k = Math.max(...requests.map((request) => request.k));
  symbols.candidates = Math.max(...requests.map((request) => request.candidates));
  symbols.plan_offsets = plans.offsets.length;
  symbols.plan_steps = plans.steps.length / 4;
  symbols.exclude_rows = excluded.values.length;
  return { inputs, symbols };
}

function encodeTower(
  users: readonly ReadonlyMap<string, ArrayLike<number>>[],
  specs: InputSpecs,
  inputs: Map<string, TensorArray>,
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
