import { cases, run } from '../../test/cases/rotate.js';
import { opSuite } from '../support/ops.js';

export default opSuite('rotate', cases, run);
