// Everything @orepa/orepa offers.
export { type LinearBlock, type NormPlacement, sumOfKernels, sumOfMaps } from "./block.ts";
export type { AdjointArguments, Branch, BranchGradients, BranchOptions } from "./branch.ts";
export { type BranchKind, type BranchKinds, type BranchSpec, branchKinds, type StageSpec } from "./branches/table.ts";
export { type BlockName, blockDefinitions, blockNames, createBlock } from "./definitions.ts";
export { DeployError, DeployedBlock, type DeployOptions, deploy } from "./deploy.ts";
export { describe } from "./describe.ts";
export { type FrequencyPrior, frequencyPrior } from "./frequency-prior.ts";
export {
  type FromConvOptions,
  fromConv,
  fromDeployed,
  type PlainConv,
  type StartOptions,
  startFromConv,
} from "./from-conv.ts";
export { type Geometry, type GeometryOptions, geometry } from "./geometry.ts";
export { mergedKernel } from "./merge.ts";
export { OfflineBlock, toOffline } from "./offline.ts";
export { type BranchName, branchNames, Orepa, type OrepaInit, type OrepaOptions } from "./orepa.ts";
export { type BlockDefinition, type BlockInit, type BlockOptions, RepBlock } from "./rep-block.ts";
export type { ScaleKind } from "./scales.ts";
