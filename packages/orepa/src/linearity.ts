// Whether a branch is what it says: a linear map, and the one of its kernel.
import {
  abs,
  add,
  amax,
  conv2d,
  Generator,
  mul,
  OpError,
  randn,
  reshape,
  sub,
  type Tensor,
  zerosLike,
} from "@orepa/tensor";
import type { Branch } from "./branch.ts";
import { type Geometry, windowOptions } from "./geometry.ts";

/** Roundings of a float64 computation of a branch, relative to its largest output. */
const tolerance = 1e-9;

/**
 * @throws OpError unless the branch (in float64, eval mode) maps sums to sums and is the convolution with its kernel and bias.
 */
export function checkLinear(op: string, branch: Branch, g: Geometry): void {
  const side = g.dilation * (g.kernelSize - 1) + 2 * g.stride + g.padding + 1;
  const [a, b] = ["a", "b"].map((seed) =>
    randn([1, g.inChannels, side, side], { generator: new Generator(seed), dtype: "float64" }),
  ) as [Tensor, Tensor];
  const f = (x: Tensor): Tensor => branch.forward(x, "eval");
  const zero = f(zerosLike(a));
  const [fa, fb] = [f(a), f(b)];
  const size = amax(abs(fa)).item() + amax(abs(fb)).item() + Number.MIN_VALUE;
  const far = (x: Tensor, y: Tensor): boolean => !(amax(abs(sub(x, y))).item() <= tolerance * size);

  if (far(add(f(add(a, mul(b, -2))), mul(fb, 2)), add(fa, mul(zero, 2))))
    throw new OpError(
      op,
      "branches that are linear",
      `"${branch.name}", which is not`,
      "an activation inside a branch cannot be merged; put it behind the block",
    );
  const bias = branch.bias?.();
  const conv = conv2d(a, branch.kernel(), windowOptions(g));
  if (far(fa, bias ? add(conv, reshape(bias, [1, -1, 1, 1])) : conv))
    throw new OpError(op, "branches that are the convolution with their kernel", `"${branch.name}", which is not`);
}
