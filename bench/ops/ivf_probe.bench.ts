import { cases, run } from '../../test/cases/ivf_probe.js';
import { opSuite } from '../support/ops.js';

export default opSuite('ivf_probe', cases, run);
