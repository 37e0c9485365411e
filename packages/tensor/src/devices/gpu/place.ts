// Where a tensor lies: a buffer, an offset and a stride per axis. Views are places: kernels read any place by arithmetic.
import { rowMajor, type Shape, sizeOf } from "../../shape.ts";

/** A buffer of 32-bit floats that one kernel writes as a whole, or that is uploaded. */
export interface Root {
  readonly size: number;
}
export interface Place {
  readonly root: Root;
  readonly shape: Shape;
  readonly offset: number;
  /** In elements, one per axis. */
  readonly stride: readonly number[];
}

/** A buffer of its own, row-major. Devices have no empty buffers: an empty tensor lies in one element. */
export const freshPlace = (shape: Shape): Place => wholeOf({ size: Math.max(1, sizeOf(shape)) }, shape);

/** All of a buffer under a row-major shape. */
export const wholeOf = (root: Root, shape: Shape): Place => ({ root, shape, offset: 0, stride: rowMajor(shape) });

/** Whether a place is all of its buffer, row-major. */
export const isWhole = ({ root, shape, offset, stride }: Place): boolean => {
  const packed = rowMajor(shape);
  return offset === 0 && root.size === sizeOf(shape) && shape.every((n, i) => n === 1 || stride[i] === packed[i]);
};

/** Loops over a shape, outermost first, and each operand's stride per loop. */
export interface Loops {
  readonly dims: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/** Axes of size 1 dropped, neighbours merged where every operand allows it. */
export function collapse(shape: Shape, strides: readonly (readonly number[])[]): Loops {
  const dims: number[] = [];
  const merged: number[][] = strides.map(() => []);
  shape.forEach((n, axis) => {
    if (n === 1) return;
    const last = dims.length - 1;
    const joins = last >= 0 && strides.every((s, k) => merged[k]![last] === s[axis]! * n);
    if (joins) dims[last]! *= n;
    else dims.push(n);
    strides.forEach((s, k) => {
      merged[k]![dims.length - 1] = s[axis]!;
    });
  });
  return { dims, strides: merged };
}

/** A reshape as a view: possible where it only cuts or joins axes that are joined in memory. */
export function reshaped(place: Place, shape: Shape): Place | undefined {
  if (sizeOf(shape) === 0) return { ...place, shape, stride: rowMajor(shape) };
  const { dims, strides } = collapse(place.shape, [place.stride]);
  const stride = shape.map(() => 0);
  let axis = shape.length - 1;
  for (let k = dims.length - 1; k >= 0; k--) {
    let step = strides[0]![k]!;
    for (let left = dims[k]!; left > 1; axis--) {
      const n = shape[axis]!;
      if (left % n) return undefined;
      stride[axis] = step;
      step *= n;
      left /= n;
    }
  }
  return { ...place, shape, stride };
}
