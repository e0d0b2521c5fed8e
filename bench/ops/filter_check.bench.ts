import { cases, run } from '../../test/cases/filter_check.js';
import { opSuite } from '../support/ops.js';

export default opSuite('filter_check', cases, run);
