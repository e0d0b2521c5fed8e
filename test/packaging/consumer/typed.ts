import { devices, f, publish, RetrievalModel, SilverlodeError } from 'silverlode';

const embeddings = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] };
const published: RetrievalModel = await publish({ items: { ids: ['a', 'b'], embeddings }, index: { metric: 'ip' } });
const model = await RetrievalModel.load('catalogue.safetensors', { device: 'auto' });
const result = await model.retrieve({ embedding: Float32Array.of(1, 0), filter: f.not(f.eq('language', 'en')), k: 2 });
export const ids: readonly (string | number | bigint)[] = result.ids;
export const scores: Float32Array = result.scores;
export const device: string | undefined = devices()[0]?.id;
export const codeOf = (error: unknown) => (error instanceof SilverlodeError ? error.code : undefined);

// @ts-expect-error: an unknown metric is a type error
await publish({ items: { ids: ['a', 'b'], embeddings }, index: { metric: 'manhattan' } });
// @ts-expect-error: a model is not a request
await published.retrieve(model);
