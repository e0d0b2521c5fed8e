import { cases, run } from '../../test/cases/elementwise.js';
import { opSuite } from '../support/ops.js';

export default opSuite('elementwise', cases, run);
