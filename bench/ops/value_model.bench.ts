import { cases, run } from '../../test/cases/value_model.js';
import { opSuite } from '../support/ops.js';

export default opSuite('value_model', cases, run);
