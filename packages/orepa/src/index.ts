// Everything @orepa/orepa offers.
export {
  type LinearBlock,
  type NormPlacement,
  type ScaleKind,
  sumOfKernels,
  sumOfMaps,
} from "./block.ts";
export type { AdjointArguments, Branch, BranchGradients } from "./branch.ts";
export { AverageBranch } from "./branches/average.ts";
export { DepthwiseSeparableBranch } from "./branches/depthwise-separable.ts";
export { OriginBranch } from "./branches/origin.ts";
export { PointwiseBranch } from "./branches/pointwise.ts";
export { PointwiseFullBranch } from "./branches/pointwise-full.ts";
export { PriorBranch } from "./branches/prior.ts";
export { DeployError, DeployedBlock, type DeployOptions, deploy } from "./deploy.ts";
export { describe } from "./describe.ts";
export { type FrequencyPrior, frequencyPrior } from "./frequency-prior.ts";
export { type Geometry, type GeometryOptions, geometry } from "./geometry.ts";
export { mergedKernel } from "./merge.ts";
export { OfflineBlock, toOffline } from "./offline.ts";
export { type BranchName, branchNames, Orepa, type OrepaInit, type OrepaOptions } from "./orepa.ts";
