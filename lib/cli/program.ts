// The command line as users see it. What a command does is in commands/, loaded only when it runs, so that help is quick.

import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import {
  clusterChoice,
  counts,
  delimiter,
  group,
  lists,
  names,
  nonNegative,
  number,
  positive,
  positiveNumber,
  repeated,
  share,
  userJson,
  vectors,
  weights,
} from './options.js';
import { Output, type OutputOptions } from './output.js';

const VECTOR_FILES = '.npy .fbin .u8bin .i8bin .fvecs .bvecs .parquet';

/**
 * Runs one command line.
 *
 * @param args What follows `silverlode`.
 * @param streams Where to write; default stdout and stderr.
 * @returns The exit code: 0, 1 (failed, reason on stderr) or 2 (usage).
 */
export async function runCli(args: readonly string[], streams: Omit<OutputOptions, 'json'> = {}): Promise<number> {
  const { stdout = process.stdout, stderr = process.stderr } = streams;
  let output = new Output({ stdout, stderr });
  const program = new Command('silverlode')
    .description('Recommendation retrieval as one model: publish a catalogue into one file, then query it.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help of a command')
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .exitOverride()
    .showHelpAfterError('(see --help)')
    .hook('preAction', (_, command) => {
      output = new Output({ json: command.opts<{ json?: boolean }>().json ?? false, stdout, stderr });
    })
    .addHelpText(
      'after',
      `
Examples:
  silverlode publish --embeddings items.npy --attributes items.jsonl --id-field id --out items.silverlode
  silverlode query items.silverlode --vector 0.1,0.2,0.3 --filter 'language:en AND year:[1990 TO *]' -k 10
  silverlode tune items.silverlode --queries users.npy --recall 0.98
  silverlode inspect items.silverlode --json
  silverlode serve items.silverlode --port 8080

Exit codes: 0 done, 1 failed (reason on stderr), 2 wrong usage.`,
    );
  defineBuild(program, () => output);
  defineDevices(program, () => output);
  definePublish(program, () => output);
  defineInspect(program, () => output);
  defineImport(program, () => output);
  defineQuery(program, () => output);
  defineTune(program, () => output);
  defineEvaluate(program, () => output);
  defineBench(program, () => output);
  defineServe(program, () => output);
  defineFront(program, () => output);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    return output.failure(error);
  }
}

function define(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--json', 'print one JSON document')
    .option('--device <id>', 'auto, cpu or cuda:0 (default: auto)');
}

function defineBuild(program: Command, output: () => Output): void {
  define(program, 'build', 'build the native binary here, for a platform that no package is for').action(async () =>
    (await import('./commands/build.js')).runBuild(output()),
  );
}

function defineDevices(program: Command, output: () => Output): void {
  define(program, 'devices', 'list compute devices, with the reason where one cannot be used').action(async (flags) =>
    (await import('./commands/devices.js')).runDevices(flags, output()),
  );
}

function definePublish(program: Command, output: () => Output): void {
  define(program, 'publish', 'build a model file from a catalogue')
    .requiredOption('--embeddings <file>', `item embeddings: ${VECTOR_FILES}`)
    .requiredOption('--out <file>', 'model file to write; with --shards a folder')
    .option('--shards <n>', 'cut the model into so many shards; it does not rescore, nor rerank or value', positive)
    .option('--embeddings-column <name>', 'column of a Parquet file that holds the embeddings')
    .option('--attributes <file>', 'filter fields of the items, in their order: .jsonl .csv .tsv .parquet')
    .option('--fields <a,b,…>', 'attribute columns to take (default: all but the ids)', names)
    .option('--stored <a,b,…>', 'columns that are kept for results alone, nested ones too', names)
    .option('--delimiter <text>', 'between cells of a CSV file (default: a comma, in .tsv a tab)', delimiter)
    .option('--dates <a,b,…>', 'attribute columns of dates as text, 2024-01-31, to be filtered by ranges', names)
    .option('--list-separator <text>', 'splits cells of a CSV file into several values')
    .option('--ids <file>', 'item ids: integer .npy, or a column of .jsonl .csv .parquet')
    .option(
      '--id-field <name>',
      "id column of --ids (default: id), else of --attributes (default: ids are the row's number)",
    )
    .option('--features <file>', 'numbers per item for reranker and formula, [items, F]')
    .option('--feature-names <a,b,…>', 'their names, which the formula can use', names)
    .addOption(new Option('--metric <name>', 'how scores are computed').choices(['ip', 'cosine', 'l2']).default('ip'))
    .option('--clusters <n>', 'a number, auto or flat', clusterChoice, 'auto')
    .option('--probes <n>', 'clusters to look at first (default: tuned)', positive)
    .option('--queries <file>', `typical queries to tune probes with: ${VECTOR_FILES}`)
    .option('--tower <file>', 'network of the user side: an ONNX model with one output')
    .option('--rerank <file>', 'OverArch weights layers.<n>.weight|bias, safetensors')
    .option('--tasks <a,b,…>', 'names of its outputs', names)
    .addOption(
      new Option('--activation <name>', 'between its layers')
        .choices(['relu', 'gelu', 'silu', 'sigmoid', 'tanh'])
        .default('relu'),
    )
    .addOption(
      new Option('--rerank-embeddings <dtype>', 'item embeddings that it reads')
        .choices(['int8', 'float16', 'float32'])
        .default('int8'),
    )
    .option('--value <formula>', 'value formula over tasks, score, columns and weights')
    .option('--weights <name=number,…>', 'defaults of its weights', weights)
    .option('--seed <n>', 'seeds the clustering', nonNegative, 0)
    .option('--threads <n>', 'compute threads (default: physical cores)', positive)
    .addHelpText(
      'after',
      `
Examples:
  silverlode publish --embeddings vectors.fbin --out items.silverlode
  silverlode publish --embeddings items.npy --attributes items.csv --id-field sku --list-separator '|' \\
      --fields language,tags,price --clusters 1024 --queries users.npy --out items.silverlode
  silverlode publish --embeddings items.npy --ids items.jsonl --features columns.npy --feature-names age_hours,rating \\
      --rerank overarch.safetensors --tasks click,like --value 'sigmoid(click) + weight.like * sigmoid(like)' \\
      --weights like=0.5 --out items.silverlode`,
    )
    .action(async (flags, command: Command) => {
      if (flags.stored && !flags.attributes) command.error("error: option '--stored' needs '--attributes'");
      if (flags.rerank && !flags.tasks) command.error("error: option '--rerank' needs '--tasks'");
      if (!flags.rerank && flags.tasks) command.error("error: option '--tasks' needs '--rerank'");
      if (flags.idField && !flags.ids && !flags.attributes)
        command.error("error: option '--id-field' needs '--ids' or '--attributes'");
      if (flags.featureNames && !flags.features) command.error("error: option '--feature-names' needs '--features'");
      await (await import('./commands/publish.js')).runPublish(flags, output());
    });
}

function defineInspect(program: Command, output: () => Output): void {
  define(program, 'inspect', 'tell what a model file holds')
    .argument('<model>', 'model file')
    .option('--no-verify', 'do not check the checksums')
    .action(async (model, flags) => (await import('./commands/inspect.js')).runInspect(model, flags, output()));
}

function defineImport(program: Command, output: () => Output): void {
  define(program, 'import', 'describe what an ONNX model becomes: inputs, outputs, parameters, operators')
    .argument('<file>', 'ONNX model')
    .action(async (file) => (await import('./commands/import.js')).runImport(file, output()));
}

function defineQuery(program: Command, output: () => Output): void {
  define(program, 'query', 'retrieve the best items for one user')
    .argument('<model>', 'model file')
    .option('--embedding <file[:row]>', `user embedding, row 0 by default; repeat for several heads`, repeated)
    .option('--vector <numbers>', 'the same as numbers: 0.1,0.2,…; repeat for several heads', vectors)
    .option('--user <json>', `tower inputs, such as '{"history": [3, 14]}'`, userJson)
    .option(
      '--request <file>',
      'a request as JSON, as the service takes it, in place of options that say what is asked',
    )
    .option('--like <id,…>', 'items that stand for the user, by the mean of their vectors', lists)
    .option('--dislike <id,…>', 'with --like: items to keep away from', lists)
    .option('--rank <id,…>', 'score and rank exactly these items', lists)
    .option('--allow <id,…>', 'the only items that may come back', lists)
    .option('--filter <text>', "such as 'language:en AND NOT tag:(pop OR rock)'")
    .option('-k <n>', 'results', positive, 10)
    .option('--offset <n>', 'results to leave out before the first', nonNegative)
    .option('--min-score <number>', 'least score of a result', number)
    .option('--group <field:n>', 'at most n results of the same value of an attribute', group)
    .option('--mmr <share>', 'prefer items that differ from those before; 1: by score alone', share)
    .option('--select <name,…>', 'attributes and columns to show with each item', lists)
    .option('--candidates <n>', 'items that are reranked (default: 1000)', positive)
    .option('--recall <share>', 'share of the true list to find (default: that of the model)', share)
    .option('--probes <n>', 'instead: clusters to look at', positive)
    .option('--count', 'count all eligible items')
    .option('--exclude <id,…>', 'ids never returned', lists)
    .option('--weight <name=number>', 'weight of the value formula; repeat for more', weights)
    .option('--threads <n>', 'compute threads (default: physical cores)', positive)
    .option('--dump <file>', 'write the request as JSON, to be asked again with --request')
    .option('--repeat <n>', 'answer it so often, for a profiler; the time is that of the last answer', positive, 1)
    .option('--explain', 'also print the plan')
    .option('--profile', 'also print the time of every stage')
    .addHelpText(
      'after',
      `
Examples:
  silverlode query items.silverlode --embedding users.npy:42 --filter 'language:en AND price:<20' -k 20
  silverlode query items.silverlode --vector 0.1,-0.2,0.3 --exclude b17,b21 --json
  silverlode query items.silverlode --user '{"history": [3, 14, 15]}' --weight like=1 --profile`,
    )
    .action(async (model, flags, command: Command) => {
      const given = [flags.embedding, flags.vector, flags.user, flags.like, flags.request].filter(
        (flag) => flag !== undefined,
      ).length;
      if (given !== 1)
        command.error("error: give one of '--embedding', '--vector', '--user', '--like' and '--request'");
      await (await import('./commands/query.js')).runQuery(model, flags, output());
    });
}

function defineTune(program: Command, output: () => Output): void {
  define(
    program,
    'tune',
    'find the recall target and the fewest candidates that reach a recall, and store them in the model',
  )
    .argument('<model>', 'model file')
    .requiredOption('--queries <file>', `typical queries: ${VECTOR_FILES}`)
    .option('--recall <share>', 'share of the exhaustive result to reach', share, 0.98)
    .option('--embeddings <file>', 'the embeddings that were published: tells the true recall too')
    .option('-k <n>', 'length of the lists compared', positive, 100)
    .option(
      '--max-candidates <n>',
      'candidates of the exhaustive result (default: all, at most 16384 or 16 k)',
      positive,
    )
    .option('--out <file>', 'write the tuned model here (default: replace the model file)')
    .option('--threads <n>', 'compute threads (default: physical cores)', positive)
    .action(async (model, flags) => (await import('./commands/tune.js')).runTune(model, flags, output()));
}

function defineEvaluate(program: Command, output: () => Output): void {
  define(program, 'evaluate', 'recall, NDCG, coverage and diversity on interactions that were held out')
    .argument('<model>', 'model file')
    .requiredOption('--interactions <file>', 'a person per row: .jsonl .csv .parquet')
    .option('--history <column>', 'ids of the items that stand for the person, and do not come back', 'history')
    .option('--held <column>', 'ids of the items that were chosen later', 'held')
    .option('--queries <file>', 'embeddings of the people, by row: histories are excluded alone')
    .option('--filter <text>', 'what is eligible for everybody')
    .option('--recall <share>', 'share of the true list to find (default: that of the model)', share)
    .option('-k <n>', 'length of the lists', positive, 20)
    .option('--list-separator <text>', 'between values of a CSV cell', delimiter)
    .option('--delimiter <text>', 'between cells of a CSV file (default: a comma)', delimiter)
    .option('--threads <n>', 'compute threads (default: physical cores)', positive)
    .addHelpText(
      'after',
      `
Example, where people.jsonl holds {"history": ["b7", "b9"], "held": ["b3"]} per line:
  silverlode evaluate items.silverlode --interactions people.jsonl -k 20 --json`,
    )
    .action(async (model, flags) => (await import('./commands/evaluate.js')).runEvaluate(model, flags, output()));
}

function defineBench(program: Command, output: () => Output): void {
  define(program, 'bench', 'measure latency, throughput, recall and stages of a model')
    .argument('<model>', 'model file')
    .requiredOption('--queries <file>', `typical queries: ${VECTOR_FILES}`)
    .option(
      '--embeddings <file>',
      'the embeddings that were published: recall is then against float32 search, else against int8',
    )
    .option('--filter <text>', 'filter of every request')
    .option('-k <n>', 'results', positive, 100)
    .option('--probes <n>', 'clusters to look at first (default: as tuned)', positive)
    .option('--batches <n,…>', 'requests per native run', counts, [1, 8, 64])
    .option('--seconds <n>', 'how long each batch size is measured', positiveNumber, 2)
    .option('--threads <n>', 'compute threads (default: physical cores)', positive)
    .action(async (model, flags) => (await import('./commands/bench.js')).runBench(model, flags, output()));
}

function defineServe(program: Command, output: () => Output): void {
  withHttp(define(program, 'serve', 'answer requests over HTTP (needs fastify, @fastify/swagger and prom-client)'))
    .argument('[model...]', 'model files; a model is called like its file, without the extension')
    .option('--watch <folder>', 'also serve the models in a folder, in new versions as they come')
    .option('--journal <folder>', 'keep item updates in a file per model: they survive the process and new versions')
    .option('--follow <url>', 'take updates from a NATS stream: nats://host:port/stream; {name} in it is the model')
    .option('--max-fresh-items <n>', 'items that updates may hold in memory (default: 65536)', positive)
    .option('--no-compaction', 'fold updates into the published part only when asked to')
    .option('--fresh-share <x>', 'fold when this share of the rows has changed (default: 0.1)', positiveNumber)
    .option(
      '--fresh-cost <x>',
      'fold when requests scan this many fresh rows per published one (default: 1)',
      positiveNumber,
    )
    .option('--idle-ms <n>', 'fold after this time without an update (default: 30000)', nonNegative)
    .option('--update-wait-ms <n>', 'how long updates wait for room before 503 (default: 30000)', nonNegative)
    .option('--threads <n>', 'compute threads per model (default: physical cores)', positive)
    .option('--no-verify', 'do not check the checksums of model files')
    .option('--no-changes', 'offer neither item updates nor rollback')
    .option('--shard <i/n>', 'instead: answer for a shard of the folder given, over NATS')
    .option('--nats <url>', 'where: nats://host:port')
    .addHelpText(
      'after',
      `
SIGTERM and SIGINT answer what is in flight and end with exit code 0.

Examples:
  silverlode serve books.silverlode --port 8080 --token-file token.txt --journal /var/lib/silverlode
  silverlode serve books.silverlode --follow nats://127.0.0.1:4222/catalogue
  silverlode serve --watch /var/models --host 0.0.0.0 --log-level info`,
    )
    .action(async (models, flags, command: Command) => {
      if (flags.shard !== undefined) {
        if (models.length !== 1 || flags.nats === undefined)
          command.error("error: '--shard' needs a folder and '--nats'");
        const foreign = command.options.find(
          (option) => isGiven(command, option) && !SHARD_OPTIONS.includes(option.attributeName()),
        );
        if (foreign) command.error(`error: '${foreign.long}' does not go with '--shard'`);
        const { runServeShard } = await import('./commands/serve_shard.js');
        return runServeShard(models[0], flags, output());
      }
      if (flags.nats !== undefined) command.error("error: '--nats' is for '--shard'");
      if (models.length === 0 && flags.watch === undefined) command.error("error: give model files or '--watch'");
      requireBoth(flags, command);
      await (await import('./commands/serve.js')).runServe(models, flags, output());
    });
}

function defineFront(program: Command, output: () => Output): void {
  withHttp(define(program, 'front', 'answer requests over HTTP for a catalogue whose shards serve over NATS'))
    .requiredOption('--nats <url>', 'nats://host:port')
    .requiredOption('--name <name>', 'the catalogue, which is called like the folder of its shards')
    .option('--partial', 'answer without the shards that are missing, and say so (default: fail with 503)', false)
    .addHelpText(
      'after',
      `
Examples:
  silverlode publish --embeddings items.npy --shards 2 --out books
  silverlode serve books --shard 1/2 --nats nats://127.0.0.1:4222
  silverlode serve books --shard 2/2 --nats nats://127.0.0.1:4222
  silverlode front --nats nats://127.0.0.1:4222 --name books --port 8080`,
    )
    .action(async (flags, command: Command) => {
      requireBoth(flags, command);
      await (await import('./commands/serve_shard.js')).runFront(flags, output());
    });
}

/** Options of everything that answers over HTTP. */
function withHttp(command: Command): Command {
  return command
    .option('--port <n>', 'TCP port, 0 for any free one', nonNegative, 8080)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .addOption(new Option('--token <text>', 'bearer token that requests must carry').conflicts('tokenFile'))
    .option('--token-file <file>', 'the same, from a file')
    .option('--tls-key <file>', 'PEM key; with --tls-cert the service speaks HTTPS')
    .option('--tls-cert <file>', 'PEM certificate')
    .option('--max-batch <n>', 'requests per native run (default: 64)', positive)
    .option(
      '--max-delay-us <n>',
      'microseconds that a request waits for company under load (default: 500)',
      nonNegative,
    )
    .option('--max-queue <n>', 'requests that may wait; beyond them 429 (default: 1024)', positive)
    .option('--deadline-ms <n>', 'deadline of requests that have none', positive)
    .option('--grace-ms <n>', 'at the end: time to be unready before connections are refused', nonNegative, 0)
    .option('--drain-ms <n>', 'at the end: time for answers that are under way', nonNegative, 10_000)
    .option('--no-page', 'do not serve the page at /')
    .addOption(
      new Option('--log-level <name>', 'logs go to stderr')
        .choices(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'])
        .default('warn'),
    );
}

/** Options of `serve` that a shard takes. */
const SHARD_OPTIONS = ['shard', 'nats', 'threads', 'verify', 'device', 'json'];

function isGiven(command: Command, option: Option): boolean {
  return command.getOptionValueSource(option.attributeName()) === 'cli';
}

function requireBoth(flags: { tlsKey?: string; tlsCert?: string }, command: Command): void {
  if ((flags.tlsKey === undefined) !== (flags.tlsCert === undefined))
    command.error("error: '--tls-key' and '--tls-cert' belong together");
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
