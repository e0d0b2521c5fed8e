// The task as one model file.
import { Module, nn, publish, type SymbolicTensor, type Tensor, type Tower, tensor } from 'silverlode';
import type { Layer } from './network.js';
import { type Task, VALUE } from './task.js';

class UserTower extends Module implements Tower {
  readonly inputs;
  readonly layers: nn.Linear[];

  constructor(dims: number) {
    super();
    this.inputs = { features: { dtype: 'float32', shape: ['batch', dims] } } as const;
    this.layers = [new nn.Linear(dims, 2 * dims, { activation: 'relu' }), new nn.Linear(2 * dims, dims)];
  }

  forward({ features }: { features: SymbolicTensor }): SymbolicTensor {
    return this.layers.reduce((x, layer, i) => nn.call(`layers.${i}`, layer, x), features);
  }
}

function stateOf(layers: readonly Layer[]): Map<string, Tensor> {
  return new Map(
    layers.flatMap(({ weight, bias, inputs, outputs }, i): [string, Tensor][] => [
      [`layers.${i}.weight`, tensor(weight, { shape: [outputs, inputs] })],
      [`layers.${i}.bias`, tensor(bias, { shape: [outputs] })],
    ]),
  );
}

/** Publishes the task; how many clusters to look at is said by each request. */
export async function publishTask({ catalogue, tower, rerank, size }: Task, path: string): Promise<void> {
  const userTower = new UserTower(size.dims);
  userTower.loadStateDict(stateOf(tower));
  const hidden = rerank.layers.slice(0, -1).map(({ outputs }) => outputs);
  const overArch = new nn.OverArch({ dims: size.dims, hidden, tasks: ['click', 'like'] });
  overArch.loadStateDict(stateOf(rerank.layers));
  await using model = await publish({
    items: { ids: catalogue.ids, embeddings: catalogue.embeddings, attributes: { ...catalogue.attributes } },
    index: { clusters: Math.round(4 * Math.sqrt(size.items)), probes: 1 },
    tower: userTower,
    rerank: overArch,
    rerankEmbeddings: 'float32',
    value: VALUE,
  });
  await model.save(path);
}
