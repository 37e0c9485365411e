// The three convolutions as one readable loop over their multiply-adds: the oracle of the fast kernels.
import type { FloatArray } from "../strided.ts";
import type { ConvGeometry } from "./geometry.ts";

/** Calls `f(xIndex, wIndex, yIndex)` for every multiply-add that does not fall on padding. */
function eachTap(g: ConvGeometry, f: (x: number, w: number, y: number) => void): void {
  const { N, C, H, W, O, kh, kw, Ho, Wo, groups } = g;
  const Cg = C / groups;
  const Og = O / groups;
  for (let n = 0; n < N; n++)
    for (let o = 0; o < O; o++)
      for (let i = 0; i < Ho; i++)
        for (let j = 0; j < Wo; j++)
          for (let c = 0; c < Cg; c++)
            for (let u = 0; u < kh; u++)
              for (let v = 0; v < kw; v++) {
                const row = i * g.stride[0] + u * g.dilation[0] - g.padding[0];
                const column = j * g.stride[1] + v * g.dilation[1] - g.padding[1];
                if (row < 0 || column < 0 || row >= H || column >= W) continue;
                const channel = Math.floor(o / Og) * Cg + c;
                f(
                  ((n * C + channel) * H + row) * W + column,
                  ((o * Cg + c) * kh + u) * kw + v,
                  ((n * O + o) * Ho + i) * Wo + j,
                );
              }
}

/** y += x * w. */
export function conv2d(x: FloatArray, w: FloatArray, y: FloatArray, g: ConvGeometry): void {
  eachTap(g, (i, j, k) => {
    y[k]! += x[i]! * w[j]!;
  });
}

/** x += the adjoint of conv2d in x, applied to ct. */
export function convInput(ct: FloatArray, w: FloatArray, x: FloatArray, g: ConvGeometry): void {
  eachTap(g, (i, j, k) => {
    x[i]! += ct[k]! * w[j]!;
  });
}

/** w += the adjoint of conv2d in w, applied to ct. */
export function convWeight(x: FloatArray, ct: FloatArray, w: FloatArray, g: ConvGeometry): void {
  eachTap(g, (i, j, k) => {
    w[j]! += x[i]! * ct[k]!;
  });
}
