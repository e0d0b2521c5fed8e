import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { SilverlodeError } from '../../lib/errors.js';
import { buildModelHeader, type ModelTensorSpec, parseModelHeader } from '../../lib/snapshot/model_header.js';
import {
  buildSafetensorsHeader,
  parseSafetensorsHeader,
  type TensorSpec,
  tensorBytes,
} from '../../lib/snapshot/safetensors.js';

const seed = 20240607;

/** A header as any other writer might make it. */
function header(json: string | object): Uint8Array {
  const text = Buffer.from(typeof json === 'string' ? json : JSON.stringify(json));
  const bytes = Buffer.alloc(8 + text.length);
  bytes.writeBigUInt64LE(BigInt(text.length));
  text.copy(bytes, 8);
  return bytes;
}

function parse(json: string | object, dataBytes = 0) {
  const bytes = header(json);
  return parseSafetensorsHeader(bytes, bytes.length + dataBytes);
}

const SPECS: TensorSpec[] = [
  { name: 'layers.0.weight', dtype: 'F32', shape: [4, 4] },
  { name: 'empty', dtype: 'F32', shape: [3, 0] },
  { name: '__proto__', dtype: 'I8', shape: [64] },
  { name: '7', dtype: 'BF16', shape: [2, 32] },
  { name: 'naïve "quoted" \u2028', dtype: 'I64', shape: [8] },
  { name: 'scalar', dtype: 'F64', shape: [] },
];

describe('safetensors headers', () => {
  test('survive a round trip', () => {
    const metadata = { format: 'pt', 'a "b"': 'c\nd', __proto__x: '1' };
    const { header: bytes, offsets } = buildSafetensorsHeader(SPECS, metadata);
    expect(bytes.length % 64).toBe(0);
    const last = tensorBytes(SPECS.at(-1) as TensorSpec) as number;
    const parsed = parseSafetensorsHeader(bytes, (offsets.at(-1) as number) + last);
    expect(parsed.metadata).toEqual(metadata);
    expect(new Map(parsed.tensors.map((tensor) => [tensor.name, tensor.begin]))).toEqual(
      new Map(SPECS.map(({ name }, index) => [name, offsets[index]])),
    );
    expect(parsed.tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape }))).toEqual(SPECS);
  });

  test('of another writer: any order, no metadata, odd alignment', () => {
    const { tensors, metadata } = parse(
      '{"b":{"data_offsets":[3,7],"shape":[1],"dtype":"F32"},"a":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}   ',
      7,
    );
    expect(tensors.map(({ name, end, begin }) => [name, end - begin])).toEqual([
      ['a', 3],
      ['b', 4],
    ]);
    expect(metadata).toEqual({});
    expect(parse('{}').tensors).toEqual([]);
  });
});

describe('malformed safetensors headers', () => {
  const tensor = (fields: object): object => ({ x: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields } });
  const pair = (first: number[], second: number[]): object => ({
    a: { dtype: 'U8', shape: [(first[1] as number) - (first[0] as number)], data_offsets: first },
    b: { dtype: 'U8', shape: [(second[1] as number) - (second[0] as number)], data_offsets: second },
  });

  test.each<[string, string | object, number, object]>([
    ['not JSON', '{"x":', 0, { field: 'header' }],
    ['array', '[]', 0, { field: 'header' }],
    ['null', 'null', 0, { field: 'header' }],
    ['byte order mark', '\uFEFF{}', 0, { field: 'header' }],
    ['tensor twice', '{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0078":1}', 0, { tensor: 'x' }],
    ['field twice', '{"x":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}}', 0, { tensor: 'dtype' }],
    ['metadata twice', '{"__metadata__":{},"__metadata__":{}}', 0, { tensor: '__metadata__' }],
    ['metadata no object', { __metadata__: [] }, 0, { field: '__metadata__' }],
    ['metadata no string', { __metadata__: { a: 1 } }, 0, { field: '__metadata__' }],
    ['format no number', { __metadata__: { 'silverlode.format': '1.0' } }, 0, { field: 'silverlode.format' }],
    ['tensor no object', { x: 3 }, 8, { tensor: 'x' }],
    ['unknown dtype', tensor({ dtype: 'F31' }), 8, { tensor: 'x' }],
    ['inherited dtype', tensor({ dtype: 'toString' }), 8, { tensor: 'x' }],
    ['missing dtype', tensor({ dtype: undefined }), 8, { tensor: 'x' }],
    ['surplus field', tensor({ stride: 1 }), 8, { tensor: 'x' }],
    ['shape no list', tensor({ shape: 2 }), 8, { tensor: 'x' }],
    ['negative size', tensor({ shape: [-2] }), 8, { tensor: 'x' }],
    ['fractional size', tensor({ shape: [0.5, 4] }), 8, { tensor: 'x' }],
    ['size as text', tensor({ shape: ['2'] }), 8, { tensor: 'x' }],
    ['overflow', tensor({ shape: [2 ** 32, 2 ** 32] }), 8, { tensor: 'x' }],
    ['unsafe size', tensor({ shape: [2 ** 53] }), 8, { tensor: 'x' }],
    ['offsets no pair', tensor({ data_offsets: [0, 8, 8] }), 8, { tensor: 'x' }],
    ['offsets reversed', tensor({ data_offsets: [8, 0] }), 8, { tensor: 'x' }],
    ['offsets negative', tensor({ data_offsets: [-8, 0] }), 8, { tensor: 'x' }],
    ['length differs', tensor({ data_offsets: [0, 4] }), 4, { tensor: 'x' }],
    ['beyond the file', tensor({}), 7, { tensor: 'x' }],
    ['overlap', pair([0, 4], [3, 6]), 6, { tensor: 'b' }],
    ['same place', pair([0, 4], [0, 4]), 4, { tensor: 'b' }],
    ['hole', pair([0, 4], [5, 6]), 6, { tensor: 'b' }],
    ['hole at the start', tensor({ data_offsets: [1, 9] }), 9, { tensor: 'x' }],
    ['bytes after the data', tensor({}), 9, { field: 'data' }],
  ])('%s', (_, json, dataBytes, details) => {
    expect(() => parse(json, dataBytes)).toThrow(expect.objectContaining({ code: 'CORRUPT_FILE', ...details }));
  });

  test('bad lengths and text', () => {
    const lengths: [Uint8Array, number][] = [
      [new Uint8Array(0), 0],
      [new Uint8Array(7), 7],
      [Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d), 10],
      [Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0x7b), 10],
      [Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0x80), 10],
      [Uint8Array.of(0, 0xe1, 0xf5, 5, 1, 0, 0, 0), 2 ** 40],
      [Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0x22, 0xff, 0x22), 11],
    ];
    for (const [bytes, fileBytes] of lengths) {
      expect(() => parseSafetensorsHeader(bytes, fileBytes)).toThrow(expect.objectContaining({ code: 'CORRUPT_FILE' }));
    }
  });

  test('a newer format is told apart, whatever else is in it', () => {
    const json = { __metadata__: { 'silverlode.format': '2' }, x: { dtype: 'F2', shape: 'new' } };
    expect(() => parse(json)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_VERSION', format: 2 }));
  });

  test('deep nesting and long strings are refused or read quickly', () => {
    expect(() => parse('['.repeat(1_000_000))).toThrow(SilverlodeError);
    expect(() => parse(`{"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`)).toThrow(SilverlodeError);
    expect(parse({ __metadata__: { a: '\\"'.repeat(1_000_000) } }).tensors).toEqual([]);
  });
});

describe('model headers', () => {
  const specs: ModelTensorSpec[] = [
    { name: 'index.rows', dtype: 'I8', shape: [3, 64], checksum: 0n },
    { name: 'index.scales', dtype: 'F32', shape: [16], checksum: 2n ** 64n - 1n },
    { name: 'ids', dtype: 'I64', shape: [8], checksum: 0xef46db3751d8e999n },
  ];
  const dataBytes = 192 + 64 + 64;
  const { header: bytes, offsets } = buildModelHeader(specs, { note: 'any "text"' });
  const fileBytes = bytes.length + dataBytes;

  test('survive a round trip, aligned to 64 bytes', () => {
    const { tensors, metadata } = parseModelHeader(bytes, fileBytes);
    expect(metadata).toEqual({ note: 'any "text"' });
    expect(tensors).toEqual(
      specs.map((spec, index) => ({
        ...spec,
        begin: offsets[index],
        end: (offsets[index] as number) + (tensorBytes(spec) as number),
      })),
    );
    expect(offsets.every((offset) => offset % 64 === 0)).toBe(true);
  });

  test('are the same bytes every time', () => {
    expect(buildModelHeader(specs, { note: 'any "text"' }).header).toEqual(bytes);
  });

  test('of a foreign file are refused', () => {
    const foreign = buildSafetensorsHeader(specs);
    expect(() => parseModelHeader(foreign.header, foreign.header.length + dataBytes)).toThrow(
      expect.objectContaining({ code: 'CORRUPT_FILE', field: 'silverlode.format' }),
    );
  });

  test.each([
    ['digest missing', { 'silverlode.format': '1' }, 'silverlode.header_digest'],
    [
      'digest wrong',
      { 'silverlode.format': '1', 'silverlode.header_digest': '0'.repeat(16) },
      'silverlode.header_digest',
    ],
    [
      'digest no hex',
      { 'silverlode.format': '1', 'silverlode.header_digest': 'x'.repeat(16) },
      'silverlode.header_digest',
    ],
  ])('%s', (_, metadata, field) => {
    const built = buildSafetensorsHeader(specs, metadata);
    expect(() => parseModelHeader(built.header, built.header.length + dataBytes)).toThrow(
      expect.objectContaining({ code: 'CORRUPT_FILE', field }),
    );
  });

  test('every flipped bit is noticed', () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => parseModelHeader(flipped, fileBytes), `bit ${bit}`).toThrow(SilverlodeError);
    }
  });

  test('every truncation is noticed', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => parseModelHeader(bytes.subarray(0, length), length)).toThrow(SilverlodeError);
      expect(() => parseModelHeader(bytes, length)).toThrow(SilverlodeError);
    }
    expect(() => parseModelHeader(bytes, fileBytes - 1)).toThrow(SilverlodeError);
    expect(() => parseModelHeader(bytes, fileBytes + 1)).toThrow(SilverlodeError);
  });
});

test(`damaged foreign headers are refused or stay within the file (seed ${seed})`, () => {
  const random = new Random(seed);
  const { header: bytes, offsets } = buildSafetensorsHeader(SPECS, { format: 'pt' });
  const fileBytes = (offsets.at(-1) as number) + 8;
  const alphabet = Buffer.from('{}[]":,0123456789-.eE\\u ');
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const damaged = bytes.slice();
    for (let count = 1 + random.integer(3); count > 0; count--) {
      const at = random.integer(bytes.length);
      damaged[at] = random.chance(0.5) ? random.integer(256) : (alphabet[random.integer(alphabet.length)] as number);
    }
    const length = random.chance(0.1) ? random.integer(bytes.length) : bytes.length;
    try {
      const { tensors } = parseSafetensorsHeader(damaged.subarray(0, length), fileBytes);
      let position = tensors[0]?.begin;
      for (const tensor of tensors) {
        expect(tensor.begin).toBe(position);
        expect(tensor.end - tensor.begin).toBe(tensorBytes(tensor));
        position = tensor.end;
      }
      expect(position).toBe(fileBytes);
    } catch (error) {
      if (!(error instanceof SilverlodeError)) throw error;
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(5_000);
});
