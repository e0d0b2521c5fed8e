import { cases, run } from '../../test/cases/linear.js';
import { opSuite } from '../support/ops.js';

export default opSuite('linear', cases, run);
