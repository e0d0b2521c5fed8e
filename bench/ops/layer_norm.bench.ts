import { cases, run } from '../../test/cases/layer_norm.js';
import { opSuite } from '../support/ops.js';

export default opSuite('layer_norm', cases, run);
