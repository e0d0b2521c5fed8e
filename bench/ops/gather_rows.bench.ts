import { cases, run } from '../../test/cases/gather_rows.js';
import { opSuite } from '../support/ops.js';

export default opSuite('gather_rows', cases, run);
