// Model files: every tensor of a model in one safetensors file, checked when read.
import { SilverlodeError } from '../errors.js';
import { addon, type NativeDevice } from '../native/addon.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import { buildModelHeader, parseModelHeader } from './model_header.js';
import { ALIGNMENT, PREFIX_BYTES, safetensorsHeaderBytes } from './safetensors.js';

/** Name of the JSON tensor; tensors named `pad.<n>` only align what follows them. */
const MANIFEST = 'manifest';
const PAD = 'pad.';

const DTYPE_OF = new Map(
  Object.entries(DTYPES).map(([dtype, { safetensors }]) => [safetensors as string, dtype as DType]),
);

/**
 * Settles when the file stands at `path`, or when nothing of it is left.
 *
 * @throws SilverlodeError `IO_ERROR`, `ABORTED`.
 */
export async function writeModelFile(
  device: NativeDevice,
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  manifest: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  const entries: [string, Tensor][] = [];
  for (const [name, entry] of new Map([...tensors, [MANIFEST, tensor(manifest, { dtype: 'uint8' }) as Tensor]])) {
    entries.push([name, entry]);
    // PyTorch's shapes are kept, so a short tensor is followed by bytes that bring the next one to a multiple of 64.
    const surplus = entry.nbytes % ALIGNMENT;
    if (surplus > 0)
      entries.push([`${PAD}${entries.length}`, Tensor.allocate('uint8', [ALIGNMENT - surplus]) as Tensor]);
  }
  const natives = entries.map(([, entry]) => entry.native);
  const checksums = await addon().checksums(device, natives);
  const specs = entries.map(([name, { dtype, shape }], i) => ({
    name,
    dtype: DTYPES[dtype].safetensors,
    shape,
    checksum: BigInt(`0x${checksums[i]}`),
  }));
  const { header } = buildModelHeader(specs, {});
  if (signal?.aborted) throw new SilverlodeError('ABORTED', `saving ${path} was aborted`, {}, { cause: signal.reason });
  const flag = new (addon().CancelFlag)();
  const cancel = () => flag.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  await addon()
    .writeFile(device, path, header, natives, flag)
    .finally(() => signal?.removeEventListener('abort', cancel));
}

/**
 * Maps a model file and checks its header and, unless `verify` is false, the checksum of every tensor.
 *
 * @throws SilverlodeError `IO_ERROR`, `CORRUPT_FILE` naming the tensor or field, `UNSUPPORTED_VERSION`.
 */
export async function readModelFile(device: NativeDevice, path: string, verify: boolean): Promise<Map<string, Tensor>> {
  const file = await addon().openFile(device, path);
  try {
    const prefix = file.bytes(0, Math.min(PREFIX_BYTES, file.size));
    const header = file.bytes(0, safetensorsHeaderBytes(prefix, file.size));
    const { tensors: entries } = parseModelHeader(header, file.size);
    const tensors = entries.map((entry) => {
      const dtype = DTYPE_OF.get(entry.dtype);
      if (dtype === undefined)
        throw new SilverlodeError('CORRUPT_FILE', `tensor '${entry.name}' has dtype ${entry.dtype}`, {
          tensor: entry.name,
        });
      if (!entry.name.startsWith(PAD) && entry.begin % ALIGNMENT !== 0) {
        throw new SilverlodeError('CORRUPT_FILE', `tensor '${entry.name}' is not aligned`, { tensor: entry.name });
      }
      return new Tensor(file.tensor(entry.begin, dtype, entry.shape));
    });
    if (verify) {
      const checksums = await addon().checksums(
        device,
        tensors.map((entry) => entry.native),
      );
      const bad = entries.find((entry, i) => BigInt(`0x${checksums[i]}`) !== entry.checksum);
      if (bad)
        throw new SilverlodeError('CORRUPT_FILE', `tensor '${bad.name}' does not match its checksum`, {
          tensor: bad.name,
        });
    }
    return new Map(entries.flatMap(({ name }, i) => (name.startsWith(PAD) ? [] : [[name, tensors[i] as Tensor]])));
  } catch (error) {
    if (!(error instanceof SilverlodeError)) throw error;
    throw new SilverlodeError(error.code, `${path}: ${error.message}`, { ...error, path });
  } finally {
    file.dispose();
  }
}
