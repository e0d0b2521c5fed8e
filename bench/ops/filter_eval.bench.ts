import { cases, run } from '../../test/cases/filter_eval.js';
import { opSuite } from '../support/ops.js';

export default opSuite('filter_eval', cases, run);
