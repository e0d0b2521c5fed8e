import { cases, run } from '../../test/cases/concat.js';
import { opSuite } from '../support/ops.js';

export default opSuite('concat', cases, run);
