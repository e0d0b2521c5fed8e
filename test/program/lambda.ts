import { Module } from '../../lib/nn/module.js';
import type { SymbolicTensor } from '../../lib/program/trace.js';

/** A module that is just a function. */
export class Lambda<R extends SymbolicTensor | Record<string, SymbolicTensor>> extends Module {
  constructor(readonly body: (inputs: Record<'a' | 'b' | 'x' | 'ids', SymbolicTensor>) => R) {
    super();
  }

  forward(inputs: Record<'a' | 'b' | 'x' | 'ids', SymbolicTensor>): R {
    return this.body(inputs);
  }
}
