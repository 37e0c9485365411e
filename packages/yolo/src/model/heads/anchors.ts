// The grid of points from which a detector measures its boxes.

import { type Dtype, type Tensor, tensor } from "@orepa/tensor";

/** Height and width of one feature map, in cells. */
export type MapSize = readonly [height: number, width: number];

/** Cell centres and strides of all cells, level after level, row major. */
export interface Anchors {
  /** [2, A]: x and y in cells of the own level. */
  readonly points: Tensor;
  /** [1, A]: pixels per cell. */
  readonly strides: Tensor;
}

/** The anchors of maps of the given sizes: centres at (x + 0.5, y + 0.5). */
export function anchors(sizes: readonly MapSize[], strides: readonly number[], dtype: Dtype = "float32"): Anchors {
  const x: number[] = [];
  const y: number[] = [];
  const perAnchor: number[] = [];
  sizes.forEach(([height, width], level) => {
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        x.push(column + 0.5);
        y.push(row + 0.5);
        perAnchor.push(strides[level]!);
      }
  });
  return { points: tensor([x, y], { dtype }), strides: tensor([perAnchor], { dtype }) };
}
