// What the demo needs of a data set, whichever it is.
import type { Items, PublishOptions, RetrieveRequest } from 'silverlode';
import { dataFolder } from 'silverlode/data';
import { goodbooksData } from './goodbooks.js';
import { syntheticData } from './synthetic.js';

/** Someone to recommend to. */
export interface Person {
  name: string;
  embedding: Float32Array;
  /** Items liked, best known first: what `show` prints, and what the tower reads. */
  liked: readonly number[];
  /** Items not to recommend again. */
  seen: Int32Array;
  /** Liked items that nobody told the model about. */
  heldOut: ArrayLike<number>;
}

/** A filter with the same condition in TypeScript, to judge its results by. */
export interface DemoFilter {
  text: string;
  matches: (item: number) => boolean;
}

/** A catalogue, its people, and the modules that belong to it. Ids are ordinals: 0, 1, 2, … */
export interface DemoData {
  dataset: string;
  /** One line on where it comes from. */
  about: string;
  items: Items & { ids: Int32Array; embeddings: { data: Float32Array; shape: readonly [number, number] } };
  /** Tower, reranker and value formula. */
  modules: Pick<PublishOptions, 'tower' | 'rerank' | 'rerankEmbeddings' | 'value' | 'weights'>;
  /** Clusters of the IVF index that is compared with the flat one. */
  clusters: number | 'auto';
  title: (item: number) => string;
  people: Person[];
  /** Embeddings to compare with exact search, and its answers where they are stored. */
  queries: { embeddings: Float32Array[]; exactTop100?: Int32Array[] };
  filters: DemoFilter[];
  /** The filter of the shown and timed requests. */
  shownFilter: string;
  /** How a request names a person whose embedding is not known; undefined without a tower. */
  asUser?: (person: Person) => RetrieveRequest['user'];
}

/** goodbooks-10k where `SILVERLODE_DATA` names a folder with it, else a synthetic catalogue. */
export function loadDemoData(): Promise<DemoData> {
  return dataFolder() ? goodbooksData() : Promise.resolve(syntheticData());
}
