import { cases, run } from '../../test/cases/rescore.js';
import { opSuite } from '../support/ops.js';

export default opSuite('rescore', cases, run);
