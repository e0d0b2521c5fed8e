import { cases, run } from '../../test/cases/slice_build.js';
import { opSuite } from '../support/ops.js';

export default opSuite('slice_build', cases, run);
