// Every subset of the OREPA block's branches, and the geometries that are dealt to them in turn.
import { type BranchName, branchNames, type OrepaOptions } from "./orepa.ts";

/** All 63. */
export const branchSubsets: readonly (readonly BranchName[])[] = Array.from({ length: 63 }, (_, i) =>
  branchNames.filter((_, bit) => ((i + 1) >> bit) & 1),
);
/** 5 is prime to 63, so neighbours differ. */
export const subsetGeometries: readonly OrepaOptions[] = [
  {},
  { stride: 2 },
  { groups: 2 },
  { dilation: 2, groups: 2 },
  { kernelSize: 5, stride: 2, padding: 1 },
];
