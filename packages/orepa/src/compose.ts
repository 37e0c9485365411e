// Kernels of convolutions in a row as the kernel of one.
import { conv2d, flip, matmul, mul, permute, reshape, sum, type Tensor } from "@orepa/tensor";

/** [A, B, k, k] to [B, A, k, k] */
const swap = (kernel: Tensor): Tensor => permute(kernel, [1, 0, 2, 3]);

/**
 * The kernel of a convolution with `inner` [C, I/G, a, a] followed by one with `outer` [O, C/G, b, b]:
 *
 *     K[o,i,y,x] = sum over r, p, q of outer[o,r,p,q] inner[r,i,y-p,x-q],   [O, I/G, a+b-1, a+b-1]
 *
 * `mirrored` takes inner[r,i,y+p-b+1,x+q-b+1] instead, as the published deep stem does: a correlation, in which the second layer acts as
 * its own mirror image.
 */
export function compose(
  outer: Tensor,
  inner: Tensor,
  { groups, mirrored = false }: { readonly groups: number; readonly mirrored?: boolean },
): Tensor {
  const b = outer.shape[3]!;
  if (inner.shape[3] === 1) return afterPointwise(mirrored ? flip(outer, [2, 3]) : outer, inner, groups);
  const taps = mirrored ? outer : flip(outer, [2, 3]);
  return swap(conv2d(swap(inner), taps, { padding: b - 1, groups }));
}

/** A product of matrices per group and place in the window. */
function afterPointwise(outer: Tensor, inner: Tensor, G: number): Tensor {
  const [O, width, k] = outer.shape as [number, number, number];
  const perGroup = inner.shape[1]!;
  const places = permute(reshape(outer, [G, O / G, width, k * k]), [3, 0, 1, 2]);
  const product = matmul(places, reshape(inner, [G, width, perGroup]));
  return permute(reshape(product, [k, k, O, perGroup]), [2, 3, 0, 1]);
}

/** A kernel [O, C/G, k, k] whose input channels were multiplied by `gain` [C] before. */
export function afterGain(kernel: Tensor, gain: Tensor, groups: number): Tensor {
  const [O, perGroup, k] = kernel.shape as [number, number, number];
  const byGroup = reshape(kernel, [groups, O / groups, perGroup, k, k]);
  return reshape(mul(byGroup, reshape(gain, [groups, 1, perGroup, 1, 1])), kernel.shape);
}

/** What a kernel [O, C/G, k, k] makes of a map that is `shift` [C] everywhere: [O]. */
export function ofConstant(kernel: Tensor, shift: Tensor, groups: number): Tensor {
  const [O, perGroup] = kernel.shape as [number, number];
  const rows = reshape(sum(kernel, [2, 3]), [groups, O / groups, perGroup]);
  return reshape(matmul(rows, reshape(shift, [groups, perGroup, 1])), [O]);
}
