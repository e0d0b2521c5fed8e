// What the shop sells: goodbooks-10k or the synthetic catalogue, with the filters and weights that its page offers.
import { type PublishOptions, publish, type RetrievalModel, type RetrieveRequest } from 'silverlode';
import type { DemoData } from '../demo/data.js';
import type { OnProgress } from '../demo/progress.js';

/** A switch on the page. */
export interface ShelfFilter {
  label: string;
  /** In the filter language. */
  text: string;
}

/** A slider on the page: `weight.<name>` in the value formula. */
export interface ShelfWeight {
  name: string;
  label: string;
  default: number;
  max: number;
}

interface Shelf {
  value: string;
  weights: readonly ShelfWeight[];
  filters: readonly ShelfFilter[];
}

const GOODBOOKS: Shelf = {
  value: `weight.read * sigmoid(read) + weight.like * sigmoid(like) + weight.rating * (average_rating - 4)
    - weight.hidden * log1p_ratings_count / 10`,
  weights: [
    { name: 'read', label: 'will be read', default: 1, max: 3 },
    { name: 'like', label: 'will be liked', default: 1, max: 3 },
    { name: 'rating', label: 'well rated', default: 0, max: 3 },
    { name: 'hidden', label: 'hidden gems', default: 0, max: 3 },
  ],
  filters: [
    { label: 'English', text: 'language:(eng OR en-US OR en-GB OR en-CA)' },
    { label: 'rated 4.2 and more', text: 'average_rating:>=4.2' },
    { label: 'not for young adults', text: 'NOT tags:young-adult' },
    { label: 'before 1950', text: 'year:<1950' },
    { label: 'this century', text: 'year:>=2000' },
    { label: 'fantasy', text: 'tags:fantasy' },
    { label: 'history', text: 'tags:history' },
    { label: 'no vampires', text: 'NOT tags:(vampires OR werewolves)' },
  ],
};

const SYNTHETIC: Shelf = {
  value: 'score + weight.fresh * exp(-age / 10) + weight.stock * in_stock',
  weights: [
    { name: 'fresh', label: 'new', default: 0.1, max: 2 },
    { name: 'stock', label: 'in stock', default: 0.05, max: 2 },
  ],
  filters: [
    { label: 'English or Spanish', text: 'language:(en OR es)' },
    { label: 'in stock', text: 'in_stock:true' },
    { label: 'below 20', text: 'price:<20' },
    { label: 'since 2000', text: 'year:>=2000' },
    { label: 'no crime', text: 'NOT tags:(crime-drama OR crime-comedy OR crime-mystery)' },
  ],
};

export function shelfOf({ dataset }: DemoData): Shelf {
  return dataset === 'synthetic' ? SYNTHETIC : GOODBOOKS;
}

/** The catalogue as one model, with the shop's own value formula. */
export function publishShelf(data: DemoData, onProgress?: OnProgress): Promise<RetrievalModel> {
  const { value, weights } = shelfOf(data);
  const options: PublishOptions = {
    items: data.items,
    index: { clusters: data.clusters },
    ...data.modules,
    value,
    weights: Object.fromEntries(weights.map((weight) => [weight.name, weight.default])),
    onProgress: ({ stage, done, total }) => onProgress?.(stage, done, total),
  };
  return publish(options);
}

/** Someone of whom only liked books are known: through the tower where there is one, else as the mean of their vectors. */
export function reader(data: DemoData, liked: readonly number[]): Pick<RetrieveRequest, 'embedding' | 'user'> {
  const person = { name: 'you', embedding: meanRow(data, liked), liked, seen: new Int32Array(0), heldOut: [] };
  return data.asUser && liked.length > 0 ? { user: data.asUser(person) } : { embedding: person.embedding };
}

function meanRow({ items }: DemoData, chosen: readonly number[]): Float32Array {
  const { data, shape } = items.embeddings;
  const dims = shape[1];
  const mean = new Float32Array(dims);
  for (const item of chosen)
    for (let dim = 0; dim < dims; dim++)
      mean[dim] = (mean[dim] as number) + (data[item * dims + dim] as number) / chosen.length;
  return mean;
}
