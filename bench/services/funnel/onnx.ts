// The part of onnxruntime-node that the services use.
import { requireOwn } from '../environment.js';

type Values = Float32Array | BigInt64Array;

interface OnnxTensor {
  readonly data: Values;
}

interface Session {
  run(inputs: Record<string, OnnxTensor>): Promise<Record<string, OnnxTensor | undefined>>;
}

interface Runtime {
  InferenceSession: {
    create(path: string, options: { intraOpNumThreads: number; interOpNumThreads: number }): Promise<Session>;
  };
  Tensor: new (type: 'float32' | 'int64', data: Values, shape: readonly number[]) => OnnxTensor;
}

const { InferenceSession, Tensor } = requireOwn('onnxruntime-node') as Runtime;

/** One thread: on as many cores as there are processes with work, more threads only get in each other's way. */
export const openSession = (path: string): Promise<Session> =>
  InferenceSession.create(path, { intraOpNumThreads: 1, interOpNumThreads: 1 });

export const floatTensor = (data: Float32Array, shape: readonly number[]): OnnxTensor =>
  new Tensor('float32', data, shape);

export const integerTensor = (data: BigInt64Array): OnnxTensor => new Tensor('int64', data, [data.length]);

/** What a run gave under a name. */
export function output(outputs: Record<string, OnnxTensor | undefined>, name: string): Values {
  const found = outputs[name];
  if (found === undefined) throw new Error(`the network has no output ${name}`);
  return found.data;
}
