import { cases, run } from '../../test/cases/kmeans_seed.js';
import { opSuite } from '../support/ops.js';

export default opSuite('kmeans_seed', cases, run);
