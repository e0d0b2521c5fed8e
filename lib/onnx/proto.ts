// ONNX files as protobuf, as far as importing reads them. Field numbers: onnx/onnx.proto3 of the ONNX project (Apache-2.0).
import { SilverlodeError } from '../errors.js';

const SCHEMA = `
syntax = "proto3";
message StringStringEntryProto { string key = 1; string value = 2; }
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
message TensorProto {
  repeated int64 dims = 1;
  int32 data_type = 2;
  repeated float float_data = 4 [packed = true];
  repeated int32 int32_data = 5 [packed = true];
  repeated int64 int64_data = 7 [packed = true];
  string name = 8;
  bytes raw_data = 9;
  repeated double double_data = 10 [packed = true];
  repeated StringStringEntryProto external_data = 13;
  int32 data_location = 14;
}
message AttributeProto {
  string name = 1;
  float f = 2;
  int64 i = 3;
  bytes s = 4;
  TensorProto t = 5;
  GraphProto g = 6;
  repeated float floats = 7;
  repeated int64 ints = 8;
  int32 type = 20;
}
message NodeProto {
  repeated string input = 1;
  repeated string output = 2;
  string name = 3;
  string op_type = 4;
  repeated AttributeProto attribute = 5;
  string domain = 7;
}
message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
message TensorShapeProto { repeated Dimension dim = 1; }
message TypeTensor { int32 elem_type = 1; TensorShapeProto shape = 2; }
message TypeProto { TypeTensor tensor_type = 1; }
message ValueInfoProto { string name = 1; TypeProto type = 2; }
message GraphProto {
  repeated NodeProto node = 1;
  string name = 2;
  repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11;
  repeated ValueInfoProto output = 12;
}
message ModelProto {
  int64 ir_version = 1;
  string producer_name = 2;
  GraphProto graph = 7;
  repeated OperatorSetIdProto opset_import = 8;
}`;

/** Messages as protobufjs gives them: absent fields have their defaults, 64-bit integers are numbers. */
export interface TensorProto {
  dims: number[];
  dataType: number;
  floatData: number[];
  int32Data: number[];
  int64Data: number[];
  doubleData: number[];
  name: string;
  rawData: Uint8Array;
  externalData: { key: string; value: string }[];
  dataLocation: number;
}
export interface AttributeProto {
  name: string;
  f: number;
  i: number;
  s: Uint8Array;
  t: TensorProto | null;
  g: object | null;
  floats: number[];
  ints: number[];
}
export interface NodeProto {
  input: string[];
  output: string[];
  name: string;
  opType: string;
  attribute: AttributeProto[];
  domain: string;
}
export interface ValueInfoProto {
  name: string;
  type: {
    tensorType: { elemType: number; shape: { dim: { dimValue?: number; dimParam?: string }[] } | null } | null;
  } | null;
}
export interface ModelProto {
  producerName: string;
  graph: {
    node: NodeProto[];
    initializer: TensorProto[];
    input: ValueInfoProto[];
    output: ValueInfoProto[];
  } | null;
  opsetImport: { domain: string; version: number }[];
}

/** @throws SilverlodeError `INVALID_ARGUMENT` without protobufjs; `CORRUPT_FILE` for what is no ONNX model. */
export async function decodeModel(bytes: Uint8Array): Promise<ModelProto> {
  const { parse } = await protobuf();
  const type = parse(SCHEMA).root.lookupType('ModelProto');
  try {
    return type.toObject(type.decode(bytes), { defaults: true, longs: Number, bytes: undefined }) as ModelProto;
  } catch (cause) {
    throw new SilverlodeError('CORRUPT_FILE', `not an ONNX model: ${(cause as Error).message}`, {}, { cause });
  }
}

async function protobuf(): Promise<typeof import('protobufjs')> {
  try {
    const loaded = (await import('protobufjs')) as typeof import('protobufjs') & {
      default?: typeof import('protobufjs');
    };
    return loaded.default ?? loaded;
  } catch (cause) {
    const message = 'protobufjs is not installed; importing ONNX models needs it: npm install protobufjs';
    throw new SilverlodeError('INVALID_ARGUMENT', message, { package: 'protobufjs' }, { cause });
  }
}
