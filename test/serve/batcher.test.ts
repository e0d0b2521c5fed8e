// Batching against a model whose runs the test ends itself: what runs together, when, and how each request settles.
import { SilverlodeError } from 'silverlode';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { Batcher, type BatcherOptions, type RunEvent } from '../../lib/serve/batcher.js';
import { RunSlots } from '../../lib/serve/run_slots.js';
import { FakeModel, outcome, turns } from './fake_model.js';

const NEVER = 10_000_000; // microseconds

function setUp(options: BatcherOptions = {}) {
  const model = new FakeModel();
  return { model, batcher: new Batcher(model, { maxDelayMicroseconds: NEVER, ...options }) };
}

const sizes = (model: FakeModel) => model.runs.map(({ requests }) => requests.length);
const embedding = Float32Array.of(1);

describe('what runs together', () => {
  test('an idle batcher starts in the same turn, with all calls of that turn', async () => {
    const { model, batcher } = setUp();
    const answers = [1, 2, 3].map((k) => batcher.retrieve({ embedding, k }));
    await turns(1);
    expect(sizes(model)).toEqual([3]);
    model.runs[0]?.end();
    expect((await Promise.all(answers)).map(({ ids }) => ids)).toEqual([[1], [2], [3]]);
  });

  test('calls gather while a run is in flight and start when it ends', async () => {
    const { model, batcher } = setUp();
    const first = batcher.retrieve({ embedding });
    await turns();
    const rest = Array.from({ length: 10 }, () => batcher.retrieve({ embedding }));
    await turns(50);
    expect(sizes(model)).toEqual([1]);
    model.runs[0]?.end();
    await first;
    (await model.started(2)).end();
    await Promise.all(rest);
    expect(sizes(model)).toEqual([1, 10]);
  });

  test('a full batch starts beside the run in flight; a third waits for a slot', async () => {
    const { model, batcher } = setUp({ maxBatch: 4 });
    const answers = [batcher.retrieve({ embedding })];
    await turns();
    for (let i = 0; i < 9; i++) answers.push(batcher.retrieve({ embedding }));
    await turns(50);
    expect(sizes(model)).toEqual([1, 4]);
    model.runs[1]?.end();
    (await model.started(3)).end();
    model.runs[0]?.end();
    (await model.started(4)).end();
    await Promise.all(answers);
    expect(sizes(model)).toEqual([1, 4, 4, 1]);
  });

  test.each([0, 300, 3000])('with %d µs of patience a run starts beside the one in flight', async (delay) => {
    const { model, batcher } = setUp({ maxDelayMicroseconds: delay });
    const answers = [batcher.retrieve({ embedding })];
    await model.started(1);
    const asked = performance.now();
    answers.push(batcher.retrieve({ embedding }));
    await model.started(2);
    expect(performance.now() - asked).toBeGreaterThanOrEqual(delay / 1000);
    for (const run of model.runs) run.end();
    await Promise.all(answers);
  });

  test('few wide requests share a run', async () => {
    const { model, batcher } = setUp({ maxBatch: 8, slots: new RunSlots(1) });
    const answers = Array.from({ length: 8 }, () => batcher.retrieve({ embedding, candidates: 16_000 }));
    for (let run = 1; run <= 4; run++) (await model.started(run)).end();
    const [huge, other] = [1, 2].map(() => batcher.retrieve({ embedding, k: 1_000_000 }));
    for (let run = 5; run <= 6; run++) (await model.started(run)).end();
    await Promise.all([...answers, huge, other]);
    expect(sizes(model)).toEqual([2, 2, 2, 2, 1, 1]);
  });

  test('any number of sizes comes and goes', async () => {
    const { model, batcher } = setUp({ maxQueue: 500 });
    const answers = Array.from({ length: 400 }, (_, i) =>
      batcher.retrieve({ embedding: Array.from({ length: i + 1 }, () => embedding), k: i + 1 }),
    );
    for (let run = 1; run <= 400; run++) (await model.started(run)).end();
    expect((await Promise.all(answers)).map(({ ids }) => ids[0])).toEqual(answers.map((_, i) => i + 1));
    expect(batcher.statistics()).toMatchObject({ queued: 0, answered: 400 });
  });

  test('requests of other sizes run separately', async () => {
    const { model, batcher } = setUp();
    const heads = [embedding, embedding];
    const requests = [
      { embedding },
      { embedding, k: 128 },
      { embedding, k: 129 },
      { embedding, candidates: 5000 },
      { embedding: heads },
      { user: { a: 1 } },
    ];
    const answers = requests.map((request) => batcher.retrieve(request));
    for (let run = 1; run <= 5; run++) (await model.started(run)).end();
    await Promise.all(answers);
    expect(sizes(model)).toEqual([2, 1, 1, 1, 1]);
  });
});

describe('fairness', () => {
  let now = 0; // a clock that the tests turn
  beforeEach(() => {
    vi.spyOn(performance, 'now').mockImplementation(() => now);
  });
  afterEach(() => vi.restoreAllMocks());

  test('small requests pass a queue of large ones, and neither starves', async () => {
    const { model, batcher } = setUp({ maxBatch: 1, slots: new RunSlots(1) });
    const order: string[] = [];
    const ask = (k: number, name: string) => batcher.retrieve({ embedding, k }).then(() => order.push(name));
    const large = Array.from({ length: 8 }, () => ask(100_000, 'large'));
    const small = Array.from({ length: 8 }, () => ask(10, 'small'));
    for (let run = 1; run <= 16; run++) {
      const { requests, end } = await model.started(run);
      now += (requests[0]?.k ?? 0) > 1000 ? 40 : 10;
      end();
    }
    await Promise.all([...large, ...small]);
    // A large run costs as much as four small ones, so the small ones are done while most of the large ones wait.
    expect(order.lastIndexOf('small')).toBeLessThan(12);
    expect(order.indexOf('large')).toBeLessThan(4);
  });

  test('models share slots by weight', async () => {
    const slots = new RunSlots(1);
    const model = new FakeModel();
    const batchers = [3, 1].map((weight) => new Batcher(model, { slots, weight, maxBatch: 1 }));
    const answers = batchers.flatMap((batcher, m) =>
      Array.from({ length: 40 }, () => batcher.retrieve({ embedding, k: m + 1 })),
    );
    let heavy = 0;
    for (let run = 1; run <= 80; run++) {
      const { requests, end } = await model.started(run);
      if (run <= 40 && requests[0]?.k === 1) heavy += 1;
      now += 4;
      await turns(1);
      end();
    }
    await Promise.all(answers);
    expect(heavy).toBeGreaterThanOrEqual(29);
    expect(heavy).toBeLessThanOrEqual(31);
  });
});

describe('refusals', () => {
  test('a full queue is OVERLOADED, and takes calls again afterwards', async () => {
    const { model, batcher } = setUp({ maxQueue: 3, slots: new RunSlots(1) });
    const first = batcher.retrieve({ embedding });
    await turns();
    const waiting = [1, 2, 3].map(() => batcher.retrieve({ embedding }));
    expect(await outcome(batcher.retrieve({ embedding }))).toBe('OVERLOADED');
    model.runs[0]?.end();
    await first;
    (await model.started(2)).end();
    await Promise.all(waiting);
    const again = batcher.retrieve({ embedding });
    (await model.started(3)).end();
    expect(await outcome(again)).toBe('ok');
    expect(batcher.statistics()).toMatchObject({ accepted: 5, answered: 5, queued: 0, failed: { OVERLOADED: 1 } });
  });

  test('a request whose deadline passes while it waits never reaches the model', async () => {
    const { model, batcher } = setUp({ slots: new RunSlots(1) });
    const first = batcher.retrieve({ embedding });
    await turns();
    const late = batcher.retrieve({ embedding, k: 7, deadlineMs: 5 });
    const patient = batcher.retrieve({ embedding, k: 8, deadlineMs: 60_000 });
    expect(await outcome(late)).toBe('DEADLINE');
    expect(batcher.statistics().queued).toBe(1);
    model.runs[0]?.end();
    const { requests, end } = await model.started(2);
    expect(requests.map(({ k }) => k)).toEqual([8]);
    end();
    expect(await Promise.all([first, patient].map(outcome))).toEqual(['ok', 'ok']);
    expect(await outcome(batcher.retrieve({ embedding, deadlineMs: 0 }))).toBe('DEADLINE');
  });

  test('a deadline in flight settles its request alone; a run that nobody wants is aborted', async () => {
    const { model, batcher } = setUp();
    const controller = new AbortController();
    const late = batcher.retrieve({ embedding, deadlineMs: 5 });
    const left = batcher.retrieve({ embedding }, { signal: controller.signal });
    const { signal } = await model.started(1);
    expect(await outcome(late)).toBe('DEADLINE');
    expect(signal?.aborted).toBe(false);
    controller.abort();
    expect(await outcome(left)).toBe('ABORTED');
    expect(signal?.aborted).toBe(true);
    await turns();
    expect(batcher.statistics()).toMatchObject({ running: 0, queued: 0, answered: 0 });
  });

  test('an aborted signal takes its request out of the queue', async () => {
    const { model, batcher } = setUp({ slots: new RunSlots(1) });
    const first = batcher.retrieve({ embedding });
    await turns();
    const controller = new AbortController();
    const left = batcher.retrieve({ embedding }, { signal: controller.signal });
    controller.abort(new Error('gone'));
    const error = await left.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ABORTED', cause: { message: 'gone' } });
    expect(await outcome(batcher.retrieve({ embedding }, { signal: controller.signal }))).toBe('ABORTED');
    model.runs[0]?.end();
    await first;
    await turns();
    expect(sizes(model)).toEqual([1]);
  });

  test('a bad request fails alone, a failed run fails its requests', async () => {
    const { model, batcher } = setUp();
    const bad = new SilverlodeError('FILTER_SYNTAX', 'no');
    const [a, b] = [batcher.retrieve({ embedding }), batcher.retrieve({ embedding })];
    (await model.started(1)).end([bad, { ids: [], scores: new Float32Array(0), stats: {} as never }]);
    expect(await Promise.all([a, b].map(outcome))).toEqual(['FILTER_SYNTAX', 'ok']);
    const [c, d] = [batcher.retrieve({ embedding }), batcher.retrieve({ embedding })];
    (await model.started(2)).fail(new SilverlodeError('OUT_OF_MEMORY', 'no'));
    expect(await Promise.all([c, d].map(outcome))).toEqual(['OUT_OF_MEMORY', 'OUT_OF_MEMORY']);
    for (const request of [null, { embedding, deadlineMs: -1 }, { embedding, deadlineMs: '5' }])
      expect(await outcome(batcher.retrieve(request as never))).toBe('INVALID_ARGUMENT');
  });

  test('close answers what was accepted and takes no more', async () => {
    const { model, batcher } = setUp({ maxBatch: 1, slots: new RunSlots(1) });
    const answers = [1, 2].map(() => batcher.retrieve({ embedding }));
    let closed = false;
    const closing = batcher.close().then(() => {
      closed = true;
    });
    expect(await outcome(batcher.retrieve({ embedding }))).toBe('DISPOSED');
    (await model.started(1)).end();
    const { end } = await model.started(2);
    expect(closed).toBe(false);
    end();
    await Promise.all([closing, batcher.close()]);
    expect(await Promise.all(answers.map(outcome))).toEqual(['ok', 'ok']);
  });

  test.each([{ maxBatch: 0 }, { maxQueue: 1.5 }, { maxDelayMicroseconds: -1 }, { weight: 0 }, { weight: Number.NaN }])(
    'options %j are refused',
    (options) => {
      expect(() => new Batcher(new FakeModel(), options)).toThrow(/must be/);
    },
  );
});

test('statistics and hook tell batch sizes, waits and runs', async () => {
  const events: RunEvent[] = [];
  const { model, batcher } = setUp({ onRun: (event) => events.push(event) });
  const answers = [1, 2, 3].map(() => batcher.retrieve({ embedding }));
  (await model.started(1)).end();
  await Promise.all(answers);
  await turns();
  expect(events).toEqual([
    { size: 3, waits: [expect.any(Number), expect.any(Number), expect.any(Number)], milliseconds: expect.any(Number) },
  ]);
  const { batchSizes, waits, runs } = batcher.statistics();
  expect(batchSizes).toMatchObject({ sum: 3, count: 1 });
  expect(batchSizes.counts[2]).toBe(1); // at most 4
  expect([waits.count, runs.count]).toEqual([3, 1]);
});

test('random arrivals, aborts and deadlines: every call settles once, every answer is its own', async () => {
  const seed = 20;
  const random = new Random(seed);
  const { model, batcher } = setUp({ maxBatch: 8, maxQueue: 40, maxDelayMicroseconds: 200 });
  const ending = setInterval(() => {
    for (const run of model.runs.splice(0)) run.end();
  }, 1);
  const calls: Promise<string>[] = [];
  for (let i = 0; i < 2000; i++) {
    const k = 1 + random.integer(5000);
    const controller = new AbortController();
    const deadlineMs = random.chance(0.2) ? random.integer(4) : undefined;
    const call = batcher.retrieve({ embedding, k, deadlineMs }, { signal: controller.signal });
    calls.push(outcome(call.then(({ ids }) => expect(ids, `seed ${seed}`).toEqual([k]))));
    if (random.chance(0.1)) setTimeout(() => controller.abort(), random.integer(3));
    if (random.chance(0.3)) await turns(1);
  }
  const outcomes = await Promise.all(calls);
  clearInterval(ending);
  await batcher.close();
  const { accepted, answered, failed, queued, running } = batcher.statistics();
  const count = (code: string) => outcomes.filter((each) => each === code).length;
  expect(new Set(outcomes)).toEqual(new Set(['ok', 'DEADLINE', 'ABORTED', 'OVERLOADED']));
  expect({ queued, running, answered }).toEqual({ queued: 0, running: 0, answered: count('ok') });
  expect(failed).toEqual({ DEADLINE: count('DEADLINE'), ABORTED: count('ABORTED'), OVERLOADED: count('OVERLOADED') });
  expect(accepted).toBeGreaterThanOrEqual(answered);
});
