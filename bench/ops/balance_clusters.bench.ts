import { cases, run } from '../../test/cases/balance_clusters.js';
import { opSuite } from '../support/ops.js';

export default opSuite('balance_clusters', cases, run);
