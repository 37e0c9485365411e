// The plain tap loop prepared for a geometry: operands lie as they come.
import { type ConvGeometry, convOutputShape } from "../../primitives/conv/geometry.ts";
import { sizeOf } from "../../shape.ts";
import type { Launch } from "./launch.ts";
import type { Runtime } from "./runtime.ts";

/** One of the three convolutions of any geometry; `bias` [O] is for the forward one. */
export function naiveLaunch(
  runtime: Runtime,
  g: ConvGeometry,
  which: "conv" | "convInput" | "convWeight",
  bias?: Float32Array,
): Launch {
  const { kernels, floats } = runtime;
  const sizes = {
    x: g.N * g.C * g.H * g.W,
    w: (g.O * g.C * g.kh * g.kw) / g.groups,
    y: sizeOf(convOutputShape(g)),
  };
  const at = { x: runtime.allocate(sizes.x), w: runtime.allocate(sizes.w), y: runtime.allocate(sizes.y) };
  const [first, second, sum] = (
    { conv: ["x", "w", "y"], convInput: ["y", "w", "x"], convWeight: ["x", "y", "w"] } as const
  )[which];
  const kernel = { conv: kernels.naiveConv, convInput: kernels.naiveConvInput, convWeight: kernels.naiveConvWeight }[
    which
  ];
  const result = floats.subarray(at[sum] / 4, at[sum] / 4 + sizes[sum]);
  return {
    path: "naive",
    write: (a, b) => {
      floats.set(a, at[first] / 4);
      floats.set(b, at[second] / 4);
    },
    run: () => {
      result.fill(0);
      const plane = g.Ho * g.Wo;
      if (bias) for (let k = 0; k < g.N * g.O; k++) result.fill(bias[k % g.O]!, k * plane, (k + 1) * plane);
      kernel({
        ...{ ...at, N: g.N, groups: g.groups, C: g.C / g.groups, H: g.H, W: g.W },
        ...{ O: g.O / g.groups, kh: g.kh, kw: g.kw, Ho: g.Ho, Wo: g.Wo },
        ...{ strideH: g.stride[0], strideW: g.stride[1], paddingH: g.padding[0], paddingW: g.padding[1] },
        ...{ dilationH: g.dilation[0], dilationW: g.dilation[1] },
      });
    },
    read: (out) => out.set(result),
  };
}
