// A convolution and its input gradient as sums over windows, one axis at a time. In the gradient every input i collects
// from outputs o with o * stride + u * dilation - padding = i: the taps u depend on (i + padding) mod stride alone, so
// there are `stride` phases, each a plain window with fewer taps; nothing is scattered and no zeros are put between.
import type { ConvGeometry } from "../../primitives/conv/geometry.ts";

/** One axis of a window: result `to` sums over `taps` of the kernel, read from source positions from, from + step, ... */
export interface Axis {
  readonly taps: readonly number[];
  readonly step: number;
  readonly places: readonly { readonly from: number; readonly to: number }[];
}
/** Sizes along one axis: input, output, kernel, stride, padding, dilation. */
interface AxisSizes {
  readonly n: number;
  readonly out: number;
  readonly k: number;
  readonly s: number;
  readonly p: number;
  readonly d: number;
}
const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const sizes = (g: ConvGeometry): [AxisSizes, AxisSizes] => [
  { n: g.H, out: g.Ho, k: g.kh, s: g.stride[0], p: g.padding[0], d: g.dilation[0] },
  { n: g.W, out: g.Wo, k: g.kw, s: g.stride[1], p: g.padding[1], d: g.dilation[1] },
];

const forwardAxis = ({ out, k, s, p, d }: AxisSizes): Axis => ({
  taps: range(k),
  step: d,
  places: range(out).map((i) => ({ from: i * s - p, to: i })),
});
const phaseAxes = ({ n, k, s, p, d }: AxisSizes): Axis[] =>
  range(s).map((phase) => {
    // Sources in rising order are taps in falling order.
    const taps = range(k)
      .reverse()
      .filter((u) => (u * d) % s === phase);
    const [first = 0, second = first] = taps;
    const places = range(n).filter((i) => (i + p) % s === phase);
    return {
      taps,
      step: ((first - second) * d) / s,
      places: places.map((i) => ({ from: (i + p - first * d) / s, to: i })),
    };
  });

/** Rows and columns of the forward convolution's window. */
export function forwardWindow(g: ConvGeometry): readonly [Axis, Axis] {
  const [rows, columns] = sizes(g);
  return [forwardAxis(rows), forwardAxis(columns)];
}
/** Rows and columns of the input gradient's windows; inputs that no output reads are in none of them. */
export function phaseWindows(g: ConvGeometry): readonly (readonly [Axis, Axis])[] {
  const [rows, columns] = sizes(g).map(phaseAxes) as [Axis[], Axis[]];
  const all = rows.flatMap((row) => columns.map((column): readonly [Axis, Axis] => [row, column]));
  return all.filter((window) => window.every(({ taps, places }) => taps.length > 0 && places.length > 0));
}
/** The border that windows need around a source of n positions. */
export const borderOf = (axes: readonly Axis[], n: number): number =>
  Math.max(
    0,
    ...axes.flatMap(({ taps, step, places }) =>
      places.map(({ from }) => Math.max(-from, from + (taps.length - 1) * step - (n - 1))),
    ),
  );
