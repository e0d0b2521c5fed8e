import { cases, run } from '../../test/cases/bloom_layout.js';
import { opSuite } from '../support/ops.js';

export default opSuite('bloom_layout', cases, run);
