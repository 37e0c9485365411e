// Pieces of WGSL: whole numbers of 32 bits without sign, coordinates, indices. Negative numbers wrap as their sums do.
import { collapse, type Loops } from "../place.ts";

export const whole = (n: number): string => `${n >>> 0}u`;

/** Which of four numbers are 0..n-1: what lies before 0 has wrapped. */
export const below4 = (v: string, n: number): string => `(${v} < vec4(${whole(n)}))`;

/** The sum of an offset and of coordinates times their strides. */
export function sum(offset: number, strides: readonly number[], at: readonly string[]): string {
  const terms = strides.flatMap((s, i) => (s === 0 ? [] : [s === 1 ? at[i]! : `${at[i]} * ${whole(s)}`]));
  if (offset || !terms.length) terms.push(whole(offset));
  return terms.join(" + ");
}

/** Lines that cut a flat index into coordinates, and their names. */
export function coordinates(flat: string, dims: readonly number[], prefix: string): { lines: string[]; at: string[] } {
  const at = dims.map((_, d) => `${prefix}${d}`);
  let rest = flat;
  const lines: string[] = [];
  for (let d = dims.length - 1; d >= 0; d--) {
    if (d === 0) lines.push(`let ${at[0]} = ${rest};`);
    else {
      lines.push(`let ${at[d]} = ${rest} % ${whole(dims[d]!)};`, `let ${prefix}q${d} = ${rest} / ${whole(dims[d]!)};`);
      rest = `${prefix}q${d}`;
    }
  }
  return { lines, at };
}

/** Lines that work out the element of a flat index over a strided shape, and the text of its index. */
export function strided(
  flat: string,
  {
    shape,
    stride,
    prefix,
    offset = 0,
  }: { shape: readonly number[]; stride: readonly number[]; prefix: string; offset?: number },
): { lines: string[]; index: string } {
  const loops: Loops = collapse(shape, [stride]);
  const { lines, at } = coordinates(flat, loops.dims, prefix);
  return { lines, index: sum(offset, loops.strides[0]!, at) };
}

/** The buffers of a kernel: a0, a1, ... are read and y0, y1, ... written. */
export const bindings = (reads: number, writes: number): string[] => [
  ...Array.from({ length: reads }, (_, i) => `@group(0) @binding(${i}) var<storage, read> a${i}: array<f32>;`),
  ...Array.from(
    { length: writes },
    (_, i) => `@group(0) @binding(${reads + i}) var<storage, read_write> y${i}: array<f32>;`,
  ),
];
