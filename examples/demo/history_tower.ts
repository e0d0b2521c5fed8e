// A user tower for people of whom only liked items are known.
import { Module, nn, raggedInput, type SymbolicTensor, type Tower } from 'silverlode';

/** Mean of the liked items' vectors, then two layers. Field names are the parameter names of the PyTorch module. */
export class HistoryTower extends Module implements Tower {
  readonly inputs = { history: raggedInput('int32', 'history') };
  readonly embedding: nn.EmbeddingBag;
  readonly layers: nn.Linear[];

  constructor(items: number, dims: number, hidden: number) {
    super();
    this.embedding = new nn.EmbeddingBag(items, dims, { mode: 'mean' });
    this.layers = [new nn.Linear(dims, hidden, { activation: 'relu' }), new nn.Linear(hidden, dims)];
  }

  forward({ history }: { history: { values: SymbolicTensor; offsets: SymbolicTensor } }): SymbolicTensor {
    const mean = nn.call('embedding', this.embedding, history.values, history.offsets);
    return this.layers.reduce((x, layer, i) => nn.call(`layers.${i}`, layer, x), mean);
  }
}
