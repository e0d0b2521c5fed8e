import { cases, run } from '../../test/cases/mixture_of_logits.js';
import { opSuite } from '../support/ops.js';

export default opSuite('mixture_of_logits', cases, run);
