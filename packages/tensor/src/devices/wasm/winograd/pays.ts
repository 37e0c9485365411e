// Which convolutions Winograd's kernels take, and which of these they make faster.
import type { ConvGeometry } from "../../../primitives/conv/geometry.ts";

type Pass = "forward" | "input" | "weight";

/** Whether the kernels can run it: 3 x 3, stride and dilation 1, dense, in whole vectors and panels, 2 x 2 results. */
export function winogradFits(g: ConvGeometry, pass: Pass): boolean {
  const [summed, columns] = pass === "input" ? [g.O, g.C] : [g.C, g.O];
  const [rows, width] = pass === "input" ? [g.H, g.W] : [g.Ho, g.Wo];
  const plain = g.kh === 3 && g.kw === 3 && g.groups === 1 && [...g.stride, ...g.dilation].every((n) => n === 1);
  return plain && g.N > 0 && summed % 4 === 0 && columns % 8 === 0 && rows >= 2 && width >= 2;
}
