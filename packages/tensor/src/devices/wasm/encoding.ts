// How WebAssembly writes numbers, strings and lists into a module's bytes (specification, chapter "Binary Format").
import { OpError } from "../../errors.ts";

/** LEB128 of a whole number 0 <= n < 2^32: seven bits a byte, the lowest first, the top bit says that more follow. */
export function unsigned(n: number): number[] {
  if (!Number.isInteger(n) || n < 0 || n > 0xffffffff)
    throw new OpError("wasm encoding", "a whole number from 0 to 2^32 - 1", `${n}`);
  const bytes: number[] = [];
  let rest = n;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return bytes;
}

/** LEB128 of a 32-bit number, given signed or unsigned; it ends where the rest is only copies of the sign bit. */
export function signed(n: number): number[] {
  if (!Number.isInteger(n) || n < -(2 ** 31) || n >= 2 ** 32)
    throw new OpError("wasm encoding", "a whole number of 32 bits", `${n}`);
  const bytes: number[] = [];
  for (let rest = n | 0; ; ) {
    const low = rest & 127;
    rest >>= 7;
    if (rest === (low & 64 ? -1 : 0)) return [...bytes, low];
    bytes.push(low | 128);
  }
}

/** The four bytes of a float, lowest first. */
export const float32 = (x: number): number[] => littleEndian(4, (view) => view.setFloat32(0, x, true));
/** The eight bytes of a double, lowest first. */
export const float64 = (x: number): number[] => littleEndian(8, (view) => view.setFloat64(0, x, true));
/** The four bytes of an integer, lowest first. */
export const int32 = (n: number): number[] => littleEndian(4, (view) => view.setInt32(0, n, true));

/** The count, then the items. */
export const list = (items: readonly (readonly number[])[]): number[] =>
  concatenated([unsigned(items.length), ...items]);

/** UTF-8 after its length. */
export function text(s: string): number[] {
  const bytes = new TextEncoder().encode(s);
  return [...unsigned(bytes.length), ...bytes];
}

/** A numbered section of a module. */
export const section = (id: number, content: readonly number[]): number[] =>
  concatenated([[id], unsigned(content.length), content]);

/** Lists one behind the other; they are long where they are code. */
function concatenated(parts: readonly (readonly number[])[]): number[] {
  return ([] as number[]).concat(...parts);
}

function littleEndian(size: number, write: (view: DataView) => void): number[] {
  const bytes = new Uint8Array(size);
  write(new DataView(bytes.buffer));
  return [...bytes];
}
