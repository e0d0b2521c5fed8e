import { cases, run } from '../../test/cases/l2_normalize.js';
import { opSuite } from '../support/ops.js';

export default opSuite('l2_normalize', cases, run);
