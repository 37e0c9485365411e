// Lowering of nearest upsampling, a copy of repeated pixels, and of its adjoint, a sum over blocks.
import { expandPlace, type Place, reshapePlace } from "../plan/place.ts";
import type { Lowering } from "./builder.ts";
import { reduce } from "./reduce.ts";

/** [N, C, H by, W by] as [N, C, H, by, W, by]. */
function blocks(p: Place, by: number): Place {
  const [N, C, H, W] = p.shape as [number, number, number, number];
  return reshapePlace(p, [N, C, H / by, by, W / by, by])!; // axes are only cut
}
/** [N, C, H, W] as [N, C, H, 1, W, 1]. */
function pixels(p: Place): Place {
  const [N, C, H, W] = p.shape as [number, number, number, number];
  return reshapePlace(p, [N, C, H, 1, W, 1])!;
}

const upsample: Lowering<"upsample"> = ({ inputs, outputs, params }, b) => {
  const y = blocks(b.result(outputs[0]!), params.by);
  b.copy(y, expandPlace(pixels(b.place(inputs[0]!)), y.shape));
};

const sumPool: Lowering<"sumPool"> = ({ inputs, outputs, params }, b) =>
  reduce(b, "sum", blocks(b.place(inputs[0]!), params.by), [3, 5], pixels(b.result(outputs[0]!)));

export const sampleLowerings = { upsample, sumPool };
