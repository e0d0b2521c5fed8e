import { cases, run } from '../../test/cases/merge_top_k.js';
import { opSuite } from '../support/ops.js';

export default opSuite('merge_top_k', cases, run);
