// Branch "sum": branches side by side with a scale each, merged among themselves: one branch to the block around it.
import type { Parameter } from "@orepa/autograd";
import { conv2d, type Tensor } from "@orepa/tensor";
import { type Branch, scaled } from "../branch.ts";
import { type Geometry, windowOptions } from "../geometry.ts";
import { mergedKernel } from "../merge.ts";
import { Once } from "../once.ts";
import { assignSum } from "../remainder.ts";
import { type ScaleKind, scaleParameter, scaleRows } from "../scales.ts";

/** K = sum over branches of scale * kernel. Its branches are fields under their own names. */
export class SumBranch implements Branch {
  readonly name: string;
  /** [branches, O] or [branches, 1] */
  readonly vector: Parameter;
  readonly #branches: readonly Branch[];
  readonly #geometry: Geometry;
  readonly #merged = new Once();

  constructor(
    geometry: Geometry,
    {
      name = "sum",
      branches,
      scale = "vector",
    }: {
      readonly name?: string;
      /** With the first values of their scales. */
      readonly branches: readonly { readonly branch: Branch; readonly firstScale: number }[];
      readonly scale?: Exclude<ScaleKind, "none">;
    },
  ) {
    this.name = name;
    for (const { branch } of branches) Object.assign(this, { [branch.name]: branch });
    const first = branches.map(({ firstScale }) => firstScale);
    this.vector = scaleParameter(scale, first, geometry.outChannels);
    this.#branches = branches.map(({ branch }) => branch);
    this.#geometry = geometry;
  }

  get branches(): readonly Branch[] {
    return this.#branches;
  }

  get factors(): readonly Parameter[] {
    return [...this.#branches.flatMap(({ factors }) => factors), this.vector];
  }

  scales(): readonly Tensor[] {
    return scaleRows(this.vector.value);
  }

  kernel(scale?: Tensor): Tensor {
    const values = this.factors.map((factor) => factor.value);
    return scaled(
      this.#merged.get(values, () => mergedKernel(this)),
      scale,
    );
  }

  assign(kernel: Tensor, share: number): void {
    assignSum(this, kernel, share);
  }

  /** One convolution: the branches of a sum never see a feature map by themselves. */
  forward(x: Tensor): Tensor {
    return conv2d(x, this.kernel(), windowOptions(this.#geometry));
  }
}
