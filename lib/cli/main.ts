#!/usr/bin/env node
// The executable `silverlode`: what concerns the process as a whole. The commands are in program.ts.

import { runCli } from './program.js';

// `silverlode … | head` closes the pipe early: nobody reads any more, so there is nothing left to do or to complain about.
for (const stream of [process.stdout, process.stderr]) {
  stream.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    process.stderr.write(`error: cannot write the output: ${error.message}\n`);
    process.exit(1);
  });
}

process.exitCode = await runCli(process.argv.slice(2));
