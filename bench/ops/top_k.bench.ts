import { cases, run } from '../../test/cases/top_k.js';
import { opSuite } from '../support/ops.js';

export default opSuite('top_k', cases, run);
