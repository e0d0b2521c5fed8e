// The subpath 'silverlode/cluster': a catalogue in shards.
export { type CutOptions, cutModel } from './cut.js';
