// Everything @orepa/orepa offers.
export { accumulate } from "./accumulate.ts";
export { type LinearBlock, type NormPlacement, sumOfKernels, sumOfMaps } from "./block.ts";
export type { AdjointArguments, Branch, BranchGradients, BranchOptions } from "./branch.ts";
export { type BranchKind, type BranchKinds, type BranchSpec, branchKinds, type StageSpec } from "./branches/table.ts";
export { customL2 } from "./custom-l2.ts";
export { type BlockName, blockDefinitions, blockNames, createBlock, withOrigin } from "./definitions.ts";
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
export { calibrateNorms } from "./model/calibrate.ts";
export { type ChooseBlock, fromConvModel, toOfflineModel } from "./model/convert-model.ts";
export { flopsOf, type Network, parameterCount } from "./model/cost.ts";
export {
  type BlockReport,
  type Costs,
  type DeployModelOptions,
  deployModel,
  type ModelReport,
} from "./model/deploy-model.ts";
export { findModules, isConvNorm, isLinearBlock, replaceModules } from "./model/replace.ts";
export { type BlockChoice, blockChoices, makeBlock } from "./nets/choices.ts";
export { type BlockOptions as NetBlockOptions, PlainBlock } from "./nets/conv-norm.ts";
export { type RepVggSize, repvgg } from "./nets/repvgg-net.ts";
export {
  type NetOptions,
  ResNet,
  type ResNetOptions,
  resnet18,
  resnet34,
  resnet50,
  resnet101,
  resnext50,
  wideResnet18,
} from "./nets/resnet.ts";
export { OfflineBlock, toOffline } from "./offline.ts";
export { type BranchName, branchNames, Orepa, type OrepaInit, type OrepaOptions } from "./orepa.ts";
export { loadPublished, publishedState } from "./published.ts";
export { type BlockDefinition, type BlockInit, type BlockOptions, RepBlock } from "./rep-block.ts";
export type { ScaleKind } from "./scales.ts";
export { SqueezeExcite } from "./squeeze-excite.ts";
