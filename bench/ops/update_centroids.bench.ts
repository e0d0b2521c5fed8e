import { cases, run } from '../../test/cases/update_centroids.js';
import { opSuite } from '../support/ops.js';

export default opSuite('update_centroids', cases, run);
