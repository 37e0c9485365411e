// The safetensors format: 8 bytes header length (little-endian), a JSON header, then the raw little-endian data.
// https://huggingface.co/docs/safetensors
import { allocate, type Dtype, fromData, type Tensor } from "@orepa/tensor";

/** Bytes are not a safetensors file, or not a whole one. */
export class SafetensorsError extends Error {
  override readonly name = "SafetensorsError";
}

export interface SafetensorsFile {
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Record<string, string>;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

interface Stored {
  readonly bytes: number;
  readonly dtype: Dtype;
  /** Element i at byte `at`. */
  readonly get: (view: DataView, at: number) => number;
}

/** What is read, and the dtype it becomes; F64, F32, I32 and BOOL are also written. */
const stored: Readonly<Record<string, Stored>> = {
  F64: { bytes: 8, dtype: "float64", get: (view, at) => view.getFloat64(at, true) },
  F32: { bytes: 4, dtype: "float32", get: (view, at) => view.getFloat32(at, true) },
  F16: { bytes: 2, dtype: "float32", get: (view, at) => halfToNumber(view.getUint16(at, true)) },
  BF16: { bytes: 2, dtype: "float32", get: (view, at) => bfloatToNumber(view.getUint16(at, true)) },
  I64: { bytes: 8, dtype: "int32", get: (view, at) => toInt32(view.getBigInt64(at, true)) },
  I32: { bytes: 4, dtype: "int32", get: (view, at) => view.getInt32(at, true) },
  U8: { bytes: 1, dtype: "int32", get: (view, at) => view.getUint8(at) },
  BOOL: { bytes: 1, dtype: "bool", get: (view, at) => view.getUint8(at) },
};

const names: Readonly<Record<Dtype, string>> = { float32: "F32", float64: "F64", int32: "I32", bool: "BOOL" };
const lengthBytes = 8;
/** The largest header that the reference implementation takes. */
const maxHeaderBytes = 100_000_000;

/**
 * Tensors (in the order of the header) and metadata of a safetensors file. F16 and BF16 become float32; I64 and U8 become int32.
 * @throws SafetensorsError saying what is wrong with the bytes.
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { header, data } = splitHeader(bytes);
  const tensors = new Map<string, Tensor>();
  let metadata: Record<string, string> = {};
  let end = 0;
  for (const [key, value] of Object.entries(header)) {
    if (key === "__metadata__") metadata = value as Record<string, string>;
    else {
      const entry = checkEntry(key, value, data.byteLength);
      tensors.set(key, readTensor(entry, data));
      end = Math.max(end, entry.data_offsets[1]);
    }
  }
  if (end !== data.byteLength)
    throw new SafetensorsError(`safetensors: expected ${end} bytes of data, got ${data.byteLength}`);
  return { tensors, metadata };
}

/** The bytes of a safetensors file: header in the order of the map, data by falling element size so that all of it is aligned. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const data = new Map([...tensors].map(([key, x]) => [key, x.toTypedArray()]));
  const offsets = new Map<string, readonly [begin: number, end: number]>();
  let end = 0;
  for (const [key, { byteLength }] of [...data].sort(([, a], [, b]) => b.BYTES_PER_ELEMENT - a.BYTES_PER_ELEMENT)) {
    offsets.set(key, [end, end + byteLength]);
    end += byteLength;
  }
  const entries: [string, unknown][] = Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : [];
  for (const [key, { dtype, shape }] of tensors)
    entries.push([key, { dtype: names[dtype], shape, data_offsets: offsets.get(key)! }]);
  const header = Object.fromEntries(entries);
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = Math.ceil((lengthBytes + text.length) / 8) * 8;
  const bytes = new Uint8Array(start + end).fill(0x20, lengthBytes, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - lengthBytes), true);
  bytes.set(text, lengthBytes);
  for (const [key, { buffer, byteOffset, byteLength }] of data)
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), start + offsets.get(key)![0]);
  return bytes;
}

function splitHeader(bytes: Uint8Array): { header: Record<string, unknown>; data: DataView } {
  if (bytes.byteLength < lengthBytes)
    throw new SafetensorsError(`safetensors: expected at least ${lengthBytes} bytes, got ${bytes.byteLength}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  const start = lengthBytes + length;
  if (length > maxHeaderBytes)
    throw new SafetensorsError(`safetensors: expected a header length first, got ${length} (not a safetensors file)`);
  if (start > bytes.byteLength)
    throw new SafetensorsError(
      `safetensors: expected a header of ${length} bytes, got ${bytes.byteLength - lengthBytes} (truncated)`,
    );
  const text = new TextDecoder().decode(bytes.subarray(lengthBytes, start));
  return {
    header: parseHeader(text),
    data: new DataView(view.buffer, view.byteOffset + start, view.byteLength - start),
  };
}

function parseHeader(text: string): Record<string, unknown> {
  const wrong = (cause?: unknown) =>
    new SafetensorsError(
      `safetensors: expected a JSON object as header, got ${text.slice(0, 40)} (not a safetensors file)`,
      { cause },
    );
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    throw wrong(cause);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) throw wrong();
  return header as Record<string, unknown>;
}

/** The header entry of a tensor, after checking that it describes bytes which are there. */
function checkEntry(key: string, value: unknown, available: number): Entry {
  const entry = value as Partial<Entry> | null;
  const [begin, end] = entry?.data_offsets ?? [];
  if (!entry || typeof entry.dtype !== "string" || !areCounts(entry.shape) || !areCounts([begin, end]))
    throw new SafetensorsError(
      `safetensors: ${key}: expected dtype, shape and data_offsets, got ${JSON.stringify(value)}`,
    );
  const type = stored[entry.dtype];
  if (!type) {
    const known = Object.keys(stored).join(", ");
    throw new SafetensorsError(`safetensors: ${key}: expected a dtype of ${known}, got ${entry.dtype}`);
  }
  const expected = entry.shape!.reduce((a, b) => a * b, type.bytes);
  if (end! - begin! !== expected)
    throw new SafetensorsError(`safetensors: ${key}: expected ${expected} bytes for its shape, got ${end! - begin!}`);
  if (end! > available)
    throw new SafetensorsError(`safetensors: ${key}: expected data up to byte ${end}, got ${available} (truncated)`);
  return entry as Entry;
}

const areCounts = (values: unknown): boolean =>
  Array.isArray(values) && values.every((n) => Number.isSafeInteger(n) && n >= 0);

function readTensor({ dtype, shape, data_offsets: [begin, end] }: Entry, data: DataView): Tensor {
  const type = stored[dtype]!;
  const values = allocate(type.dtype, (end - begin) / type.bytes);
  for (let i = 0; i < values.length; i++) values[i] = type.get(data, begin + i * type.bytes);
  return fromData(values, shape, type.dtype);
}

/** IEEE 754 binary16: sign, 5 bits of exponent (bias 15), 10 bits of fraction. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The upper half of an IEEE 754 binary32. */
function bfloatToNumber(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits << 16);
  return view.getFloat32(0);
}

function toInt32(value: bigint): number {
  if (BigInt.asIntN(32, value) !== value)
    throw new SafetensorsError(`safetensors: expected I64 values within 32 bits, got ${value}`);
  return Number(value);
}
