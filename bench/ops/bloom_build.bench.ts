import { cases, run } from '../../test/cases/bloom_build.js';
import { opSuite } from '../support/ops.js';

export default opSuite('bloom_build', cases, run);
