// Shapes: sizes, row-major strides, broadcasting, axes. No data here.
import { OpError } from "./errors.ts";

/** The sizes of a tensor's axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** Number of elements of a shape. */
export const sizeOf = (shape: Shape): number => {
  let n = 1;
  for (const s of shape) n *= s;
  return n;
};

/** Element strides of a contiguous row-major (C order) array. */
export function rowMajor(shape: Shape): number[] {
  const stride = new Array<number>(shape.length);
  for (let i = shape.length - 1, n = 1; i >= 0; i--) {
    stride[i] = n;
    n *= shape[i]!;
  }
  return stride;
}

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, i) => n === b[i]);

/** `[2, 3]` as text. */
export const showShape = (shape: Shape): string => `[${shape.join(", ")}]`;

/** The shape two operands broadcast to (NumPy's rule); throws `OpError` if they do not. */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = a[i - rank + a.length] ?? 1;
    const n = b[i - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1)
      throw new OpError(
        op,
        "shapes that broadcast",
        `${showShape(a)} and ${showShape(b)}`,
        `${m} != ${n} at axis ${i - rank} from the end`,
      );
    return m === 1 ? n : m;
  });
}

/** Turns a possibly negative axis into 0..rank-1; throws `OpError` outside. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  const i = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || i < 0 || i >= rank)
    throw new OpError(op, `a dimension between ${-rank} and ${rank - 1}`, String(axis), `the tensor has ${rank} axes`);
  return i;
}

/** The axes an op reduces: all of them without `dim`; sorted, without repeats. */
export function normalizeAxes(op: string, dim: number | readonly number[] | undefined, rank: number): number[] {
  if (dim === undefined) return Array.from({ length: rank }, (_, i) => i);
  const axes = (typeof dim === "number" ? [dim] : dim).map((d) => normalizeAxis(op, d, rank));
  return [...new Set(axes)].sort((a, b) => a - b);
}

/**
 * Names the axes of a shape: `const { N, C, H, W } = dims(x, "N C H W")`.
 * @throws OpError if the rank is another one.
 */
export function dims<const Names extends string>(
  x: { readonly shape: Shape },
  names: Names,
  op = "dims",
): Record<Split<Names>, number> {
  const list = names.split(" ");
  if (list.length !== x.shape.length)
    throw new OpError(op, `a tensor of axes [${list.join(", ")}]`, showShape(x.shape));
  return Object.fromEntries(list.map((name, i) => [name, x.shape[i]!])) as Record<Split<Names>, number>;
}
type Split<S extends string> = S extends `${infer Head} ${infer Rest}` ? Head | Split<Rest> : S;
