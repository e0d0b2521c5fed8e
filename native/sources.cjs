// The sources of the addon for binding.gyp, by the rule of cmake/sources.cmake: every .cpp below this folder but those of the
// CUDA plugin, the emulation and the tests. Prints their paths from the root, one a line.
'use strict';

const { readdirSync } = require('node:fs');

const files = readdirSync(__dirname, { recursive: true }).map((file) => file.replaceAll('\\', '/'));
const sources = files.filter((file) => /\.cpp$/.test(file) && !/^(backends\/cuda|emulation|tests)\//.test(file));
console.log(
  sources
    .sort()
    .map((file) => `native/${file}`)
    .join('\n'),
);
