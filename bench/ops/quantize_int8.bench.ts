import { cases, run } from '../../test/cases/quantize_int8.js';
import { opSuite } from '../support/ops.js';

export default opSuite('quantize_int8', cases, run);
