import { cases, run } from '../../test/cases/embedding_bag.js';
import { opSuite } from '../support/ops.js';

export default opSuite('embedding_bag', cases, run);
