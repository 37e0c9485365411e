// What the three convolutions share: their geometry, with a 1 x 1 kernel's pixels as one row where they lie so.
import { OpError } from "../../../errors.ts";
import { type ConvGeometry, type ConvParams, convGeometry } from "../../../primitives/conv/geometry.ts";
import { isProblem } from "../../../primitives/problem.ts";
import type { Shape } from "../../../shape.ts";
import { type Place, reshaped } from "../place.ts";

/** A convolution of places: x is an input, y a feature map; the result has none yet. */
export interface Convolution {
  readonly g: ConvGeometry;
  readonly x: Place | undefined;
  readonly y: Place | undefined;
}

export function convolution(
  { x, y }: Omit<Convolution, "g">,
  shapes: { readonly x: Shape; readonly w: Shape },
  params: ConvParams,
): Convolution {
  const g = convGeometry(shapes.x, shapes.w, params);
  if (isProblem(g)) throw new OpError("convolution", g.expected, g.got, g.hint);
  const pointwise = g.kh * g.kw === 1 && [...g.stride, g.padding[0] + 1, g.padding[1] + 1].every((n) => n === 1);
  if (!pointwise) return { g, x, y };
  const pixels = g.H * g.W;
  const [row, map] = [x && reshaped(x, [g.N, g.C, 1, pixels]), y && reshaped(y, [g.N, g.O, 1, pixels])];
  if ((x && !row) || (y && !map)) return { g, x, y };
  return { g: { ...g, H: 1, W: pixels, Ho: 1, Wo: pixels }, x: row, y: map };
}

/** Whether channels are mixed: a sum over the pixels of a window alone is short. */
export const isDense = ({ C, O, groups }: ConvGeometry): boolean => C > groups || O > groups;
