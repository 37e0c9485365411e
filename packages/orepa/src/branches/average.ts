// Branch "average": a 1x1 convolution followed by the mean over the window.
import { full } from "@orepa/tensor";
import type { BranchOptions } from "../branch.ts";
import type { Geometry } from "../geometry.ts";
import { FilteredBranch } from "./filtered.ts";

/** K[o,i,y,x] = a[o,i] / k^2. Zeros of the padding count in the mean. */
export class AverageBranch extends FilteredBranch {
  /** @throws OpError for a 1x1 kernel. */
  constructor(geometry: Geometry, { name = "average", gain = 1 }: BranchOptions = {}) {
    super(geometry, (k) => full([k, k], 1 / k ** 2), { name, gain });
  }
}
