import { cases, run } from '../../test/cases/over_arch.js';
import { opSuite } from '../support/ops.js';

export default opSuite('over_arch', cases, run);
