import { nn, ops, type Tensor, tensor } from 'silverlode';
import type { Random } from '../../lib/data/random.js';
import { floats, specials } from './floats.js';
import { defineCases, integers, tensorOf } from './op_case.js';

type Formula = ConstructorParameters<typeof nn.ValueModel>[0];

interface Sizes {
  formula: Formula;
  batch?: number;
  /** Candidates per request. */
  m?: number;
  values?: 'special';
  /** Probability of a missing candidate. */
  missing?: number;
}

export interface Input {
  program: nn.ValueModel['program'];
  logits?: Tensor<'float32'>;
  scores: Tensor<'float32'>;
  ordinals: Tensor<'int32'>;
  columns?: Tensor<'float32'>;
  weights?: Tensor<'float32'>;
  steps: Tensor;
  constants: Tensor;
}

const ITEMS = 60;
export const SCOPE = { tasks: ['click', 'like'], columns: ['a', 'b', 'age_hours'] };

/** The input of a formula: tensors that it does not read are left out. */
export function valueInput({ formula, batch = 2, m = 40, values, missing = 0.1 }: Sizes, random: Random): Input {
  const { program, steps, constants } = new nn.ValueModel(formula, SCOPE);
  const make = (...shape: number[]): Tensor<'float32'> => {
    const count = shape.reduce((product, dim) => product * dim, 1);
    return (
      values ? tensor(specials(random, count), { shape }) : floats(random, 'float32', ...shape)
    ) as Tensor<'float32'>;
  };
  const ordinals = integers(random, batch * m, 0, ITEMS - 1).map((row) => (random.chance(missing) ? -1 : row));
  return {
    program,
    logits: program.tasks.length > 0 ? make(batch, m, SCOPE.tasks.length) : undefined,
    scores: make(batch, m),
    ordinals: tensorOf(ordinals, batch, m),
    columns: program.columns.length > 0 ? make(ITEMS, SCOPE.columns.length) : undefined,
    weights: program.weights.length > 0 ? make(batch, program.weights.length) : undefined,
    steps,
    constants,
  };
}

const UNARY = ['neg', 'not', 'abs', 'exp', 'log', 'log1p', 'sqrt', 'sigmoid'];
const BINARY = ['add', 'sub', 'mul', 'div', 'pow', 'min', 'max', 'lt', 'le', 'gt', 'ge', 'eq', 'ne', 'and', 'or'];
const GUIDE =
  '2*sigmoid(click) + 0.5*log1p(exp(like)) - weight.report*sigmoid(a) + if(age_hours < 24, 0.1, 0) + 0.01*score';

const [a, b, c] = [{ score: true }, { name: 'a' }, { name: 'b' }];
const single = [
  ...UNARY.map((name) => ({ [name]: a })),
  ...BINARY.map((name) => ({ [name]: [a, b] })),
  { if: [a, b, c] },
  { clamp: [a, b, c] },
] as unknown as Formula[];

export const cases = defineCases<Sizes & { text: string }, Input>(
  [
    ...single.flatMap((formula) => [
      { text: JSON.stringify(formula), formula, m: 150 },
      { text: JSON.stringify(formula), formula, m: 600, values: 'special' as const },
    ]),
    ...['score', 'click', 'a', 'weight.boost', '2.5', GUIDE].map((formula) => ({ text: formula, formula })),
    ...[0, 1, 15, 16, 17, 511, 512, 513, 1025].map((m) => ({ text: GUIDE, formula: GUIDE, batch: 3, m })),
    { text: 'score', formula: 'score', batch: 0 },
    { text: 'a', formula: 'a', missing: 1 },
    { text: GUIDE, formula: GUIDE, bench: true, batch: 1, m: 100_000 },
  ].map((sizes) => ({ ...sizes, name: sizes.text })),
  valueInput,
  ({ batch = 2, m = 40 }) => ({ bytes: 4 * batch * m * 8, operations: 20 * batch * m }),
).map((each) => ({ ...each, name: each.name.replaceAll('[object Object]', 'tree') }));

export const run = async (input: Input) => ({ y: await ops.valueModel(input) });
