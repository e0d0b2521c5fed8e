import { cases, run } from '../../test/cases/bloom_probe.js';
import { opSuite } from '../support/ops.js';

export default opSuite('bloom_probe', cases, run);
