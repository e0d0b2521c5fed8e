import { cases, run } from '../../test/cases/ivf_search.js';
import { opSuite } from '../support/ops.js';

export default opSuite('ivf_search', cases, run);
