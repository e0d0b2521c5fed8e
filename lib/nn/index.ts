export { Embedding, EmbeddingBag } from './embedding.js';
export { LayerNorm } from './layer_norm.js';
export { Linear } from './linear.js';
export { Mlp } from './mlp.js';
export { call, Module, type StateDict } from './module.js';
export { OverArch, type OverArchOptions, type RerankCandidates, Reranker } from './over_arch.js';
export { Sequential } from './sequential.js';
export { ValueModel, type ValueModelOptions } from './value_model.js';
