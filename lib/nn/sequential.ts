import type { SymbolicTensor } from '../program/trace.js';
import { call, Module } from './module.js';

/** Modules one after the other. Parameters are named by position, `0.weight`, as in PyTorch. */
export class Sequential extends Module {
  constructor(...modules: Module[]) {
    super();
    Object.assign(this, modules); // fields '0', '1', ...
  }

  forward(x: SymbolicTensor): SymbolicTensor {
    return this.children().reduce((value, [name, module]) => call(name, module, value), x);
  }
}
