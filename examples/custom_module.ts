// A retrieval network of your own: two interests per user, reranked and valued, as one native program.
//
// npm run build:tools && node build/tools/examples/custom_module.js
import {
  compile,
  FilterIndex,
  filterPlanInputs,
  IvfIndex,
  Module,
  nn,
  ops,
  type SymbolicTensor,
  type Tensor,
  tensor,
} from 'silverlode';
import { makeCatalogue } from 'silverlode/data';

const FEATURES = 16;
const HEADS = 2;
const DIMS = 64;
const CANDIDATES = 1000;
const RESULTS = 10;

const perRequest = { dtype: 'int32', shape: ['batch'] } as const;

/** What a request gives: user features, a filter plan, limits, items to leave out, weights of the value formula. */
const INPUTS = {
  features: { dtype: 'float32', shape: ['batch', FEATURES] },
  plan: filterPlanInputs(),
  limits: perRequest,
  probes: perRequest,
  minCandidates: perRequest,
  exact: perRequest,
  excludeOffsets: perRequest,
  excludeRows: { dtype: 'int32', shape: ['exclude_rows'] },
  weights: { dtype: 'float32', shape: ['batch', 1] },
} as const;

type FeedInputs = Record<Exclude<keyof typeof INPUTS, 'plan'>, SymbolicTensor> & {
  plan: Record<keyof typeof INPUTS.plan, SymbolicTensor>;
};

class FeedRetrieval extends Module {
  readonly tower = new nn.Mlp([FEATURES, 32, HEADS * DIMS]);

  constructor(
    readonly index: IvfIndex,
    readonly eligible: FilterIndex,
    readonly embeddings: Tensor,
    readonly rerank: nn.OverArch,
    readonly value: nn.ValueModel,
  ) {
    super();
  }

  forward({ features, plan, weights, ...request }: FeedInputs) {
    const interests = ops.l2Normalize(ops.reshape(nn.call('tower', this.tower, features), ['batch', HEADS, DIMS]));
    const { scores, ordinals } = this.index.search(
      interests,
      { ...request, planIndex: plan.index, plans: plan },
      { k: CANDIDATES, eligible: this.eligible },
    );
    const candidates = { embeddings: this.embeddings, embeddingIndex: ordinals };
    const logits = nn.call('rerank', this.rerank, interests, candidates);
    const values = nn.call('value', this.value, { logits, scores, ordinals, weights });
    const best = ops.topK(values, { k: RESULTS, payload: ordinals });
    return { scores: best.scores, items: best.ids };
  }
}

// The catalogue as tensors. Weights here are the initial ones; loadStateDict(await readSafetensors(path)) brings trained ones.
const catalogue = makeCatalogue({ items: 20_000, dims: DIMS });
const embeddings = tensor(catalogue.embeddings.data, { shape: catalogue.embeddings.shape });
const index = await IvfIndex.build(embeddings, { clusters: 128 });
const eligible = await FilterIndex.build(
  { ...catalogue.attributes },
  { ordinals: index.ordinals.view() as Int32Array, items: 20_000 },
);
const tasks = ['click', 'like'];
const rerank = new nn.OverArch({ dims: DIMS, heads: HEADS, hidden: [64], tasks });
const value = new nn.ValueModel('sigmoid(click) + weight.like * sigmoid(like)', { tasks });

const feed = new FeedRetrieval(index, eligible, embeddings, rerank, value);
const program = await compile(feed, { inputs: INPUTS });

// One request: the filter is compiled to a plan; probing goes on until 1 000 eligible items were seen.
const plan = eligible.encodePlans([eligible.plans.compile('language:en AND NOT tags:crime-drama')]);
const { items, scores } = await program.run({
  features: new Float32Array(FEATURES).fill(0.5),
  'plan.index': plan.index,
  'plan.offsets': plan.offsets,
  'plan.steps': plan.steps,
  limits: [CANDIDATES],
  probes: [16],
  minCandidates: [CANDIDATES],
  exact: [1],
  excludeOffsets: [0],
  excludeRows: [],
  weights: new Float32Array([0.5]),
});
const found = items.view() as Int32Array;
for (const [i, item] of found.entries()) {
  const { language, tags } = catalogue.attributes;
  console.log(
    `${(scores.view() as Float32Array)[i]?.toFixed(4)}  item ${item}: ${language[item]}, ${tags[item]?.join(', ') ?? 'no tags'}`,
  );
}
program.dispose();
