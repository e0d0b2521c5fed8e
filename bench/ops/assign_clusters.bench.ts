import { cases, run } from '../../test/cases/assign_clusters.js';
import { opSuite } from '../support/ops.js';

export default opSuite('assign_clusters', cases, run);
