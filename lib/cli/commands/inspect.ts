import { stat } from 'node:fs/promises';
import type { FieldManifest } from '../../index/filter_manifest.js';
import type { ModelDescription } from '../../retrieval/describe.js';
import { RetrievalModel } from '../../retrieval/model.js';
import { type Output, properties, table } from '../output.js';

/** Prints what a model file holds. */
export async function runInspect(
  path: string,
  flags: { device?: string; verify: boolean },
  output: Output,
): Promise<void> {
  await using model = await RetrievalModel.load(path, { device: flags.device, verify: flags.verify });
  const { fields, ...described } = model.describe();
  const document = {
    path,
    fileBytes: (await stat(path)).size,
    ...described,
    fields: fields.map(({ name, type, multi }) => ({ name, type, multi })),
  };
  output.result(document, () => text(document));
}

function text({
  tensors,
  fields,
  flat,
  ...model
}: Omit<ModelDescription, 'fields'> & { fields: Pick<FieldManifest, 'name' | 'type' | 'multi'>[] }): string {
  const summary = properties({
    ...model,
    clusters: flat ? 'flat' : model.clusters,
    probes: flat ? null : model.probes,
    heads: model.heads ?? 'any',
    weights: model.weights.map((weight) => `${weight.name}=${weight.default}`),
  });
  const parts = [summary];
  if (fields.length > 0) parts.push(table(fields.map(({ name, ...rest }) => ({ field: name, ...rest }))));
  parts.push(
    table(tensors.map(({ name, dtype, shape, bytes }) => ({ tensor: name, dtype, shape: shape.join(' x '), bytes }))),
  );
  return parts.join('\n\n');
}
