import { cases, run } from '../../test/cases/ivf_scan.js';
import { opSuite } from '../support/ops.js';

export default opSuite('ivf_scan', cases, run);
