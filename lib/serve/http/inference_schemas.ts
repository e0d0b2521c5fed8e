// JSON schemas of the Open Inference Protocol.
import { DATATYPES } from './inference_binary.js';

const tensorFields = {
  name: { type: 'string' },
  shape: { type: 'array', minItems: 1, maxItems: 3, items: { type: 'integer', minimum: 0 } },
  datatype: { type: 'string', enum: DATATYPES },
  parameters: {
    type: 'object',
    additionalProperties: false,
    properties: { binary_data_size: { type: 'integer', minimum: 0 } },
  },
  data: { type: 'array', items: {}, description: 'flat or nested; left out where it follows in binary' },
} as const;

/** A request for results. */
export const inferBody = {
  $id: 'InferRequest',
  type: 'object',
  required: ['inputs'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', maxLength: 256 },
    model_name: { type: 'string', description: 'as in the path, which KServe repeats here' },
    model_version: { type: 'string' },
    parameters: {
      type: 'object',
      maxProperties: 256,
      additionalProperties: { type: ['string', 'number', 'boolean'] },
      description: 'see the inputs; also `timeout` in microseconds and `binary_data_output`',
    },
    inputs: {
      type: 'array',
      minItems: 1,
      maxItems: 64,
      items: {
        type: 'object',
        required: ['name', 'shape', 'datatype'],
        additionalProperties: false,
        properties: tensorFields,
      },
    },
    outputs: {
      type: 'array',
      maxItems: 64,
      items: {
        type: 'object',
        required: ['name'],
        additionalProperties: false,
        properties: {
          name: { type: 'string' },
          parameters: {
            type: 'object',
            additionalProperties: false,
            properties: { binary_data: { type: 'boolean' } },
          },
        },
      },
    },
  },
} as const;

/** Its answer. */
export const inferAnswer = {
  $id: 'InferResponse',
  type: 'object',
  required: ['model_name', 'model_version', 'outputs'],
  properties: {
    model_name: { type: 'string' },
    model_version: { type: 'string' },
    id: { type: 'string' },
    outputs: {
      type: 'array',
      items: { type: 'object', required: ['name', 'shape', 'datatype'], properties: tensorFields },
    },
  },
} as const;

const described = {
  type: 'array',
  items: {
    type: 'object',
    required: ['name', 'datatype', 'shape'],
    properties: {
      name: { type: 'string' },
      datatype: { type: 'string' },
      shape: { type: 'array', items: { type: 'integer' } },
    },
  },
} as const;

export const modelMetadata = {
  $id: 'ModelMetadata',
  type: 'object',
  required: ['name', 'versions', 'platform', 'inputs', 'outputs'],
  properties: {
    name: { type: 'string' },
    versions: { type: 'array', items: { type: 'string' }, description: 'those that may be asked for' },
    platform: { type: 'string' },
    inputs: described,
    outputs: described,
  },
} as const;

export const serverMetadata = {
  description: 'name, version and extensions',
  type: 'object',
  required: ['name', 'version', 'extensions'],
  properties: {
    name: { type: 'string' },
    version: { type: 'string' },
    extensions: { type: 'array', items: { type: 'string' } },
  },
} as const;

export const modelReady = {
  description: 'ready',
  type: 'object',
  required: ['name', 'ready'],
  properties: { name: { type: 'string' }, ready: { type: 'boolean' } },
} as const;

/** The protocol has one text per failure. */
export const protocolError = {
  $id: 'InferError',
  type: 'object',
  required: ['error'],
  properties: { error: { type: 'string' } },
} as const;

export const protocolFailures = {
  '4xx': { description: "the caller's fault; 429 when too many requests wait", $ref: 'InferError#' },
  '5xx': { description: 'the deadline has passed (503), or something failed inside', $ref: 'InferError#' },
} as const;
