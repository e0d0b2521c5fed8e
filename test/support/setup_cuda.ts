// Before every test file of the projects `emulated` and `gpu`: what names no device runs on the GPU, real or emulated.
import { setDefaultDevice } from 'silverlode';
import { addon } from '../../lib/native/addon.js';

const native = addon();
const all = native.devices().map(({ emulated, ...info }) => info); // 'auto' never takes an emulated device elsewhere
const gpu = all.find(({ id }) => id === 'cuda:0');
if (!gpu?.available) throw new Error(`no CUDA device to test: ${gpu?.reason}`);
native.devices = () => all;
setDefaultDevice({ device: 'cuda' });
