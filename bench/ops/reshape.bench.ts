import { cases, run } from '../../test/cases/reshape.js';
import { opSuite } from '../support/ops.js';

export default opSuite('reshape', cases, run);
