// `silverlode/data`: the data sets that the demo, the tests and the benchmarks run on.
export type { Vectors } from '../io/vectors.js';
export { type DataSet, dataFolder, dataSetFolder } from './data_folder.js';
export {
  type BookAttributes,
  type Goodbooks,
  type Interactions,
  itemsOf,
  loadGoodbooks,
  type TopLists,
} from './goodbooks.js';
export type { BookFilter } from './goodbooks_filters.js';
export type { BookModels, BookReference } from './goodbooks_models.js';
export { Random, zipf } from './random.js';
export { loadSift, type Sift } from './sift.js';
export { type Catalogue, type CatalogueOptions, type CatalogueUser, makeCatalogue } from './synthetic.js';
export type { CatalogueAttributes } from './synthetic_attributes.js';
