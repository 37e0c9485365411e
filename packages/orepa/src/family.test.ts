// What holds for every block of the family, over random options: all of its forms are one function.
import { add, conv2d, reshape } from "@orepa/tensor";
import fc from "fast-check";
import { expect, it, describe as suite } from "vitest";
import { expectClose } from "./close.cases.ts";
import { blockNames, createBlock } from "./definitions.ts";
import { deploy } from "./deploy.ts";
import { familyCase, kernelSizes, placements, smallWindows } from "./family.cases.ts";
import { toOffline } from "./offline.ts";

/**
 * An output adds up at most 3 channels per group, 49 taps, and the products of 4 stages of 8 channels; the factor covers what norms
 * enlarge.
 */
const rounding = 64 * 3 * 49 * 8 * 2 ** -52;

const cases = fc
  .record({
    name: fc.constantFrom(...blockNames),
    size: fc.integer({ min: 0, max: 2 }),
    inPerGroup: fc.integer({ min: 1, max: 3 }),
    outPerGroup: fc.integer({ min: 1, max: 3 }),
    same: fc.boolean(),
    groups: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 2 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    padding: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
    norm: fc.constantFrom(undefined, ...placements),
    scale: fc.constantFrom(undefined, "vector" as const, "scalar" as const, "none" as const),
    prior: fc.constantFrom("published" as const, "wrapped" as const),
    mirrored: fc.boolean(),
    expand: fc.integer({ min: 1, max: 3 }),
    copies: fc.integer({ min: 1, max: 3 }),
    kept: fc.integer({ min: 1, max: 63 }),
    seed: fc.integer({ min: 0, max: 1e6 }),
  })
  .map(({ name, size, inPerGroup, outPerGroup, same, padding, norm, scale, kept, ...rest }) => {
    const { groups } = rest;
    const kernelSize = kernelSizes[name][size % kernelSizes[name].length]!;
    const options = {
      ...{ kernelSize, inChannels: inPerGroup * groups, outChannels: (same ? inPerGroup : outPerGroup) * groups },
      ...(padding === undefined ? {} : { padding }),
      ...(norm ? { norm } : {}),
      ...(scale ? { scale } : {}),
      windows: smallWindows,
      ...rest,
    };
    const { inChannels, outChannels } = options;
    const names = createBlock(name, inChannels, outChannels, options).branches.map((branch) => branch.name);
    const branches = names.filter((_, i) => (kept >> i) & 1);
    return { name, ...options, ...(branches.length > 0 ? { branches } : {}) };
  });

suite("all forms of a block are the same function", () => {
  it("deployed, and branch by branch, in eval mode", () => {
    fc.assert(
      fc.property(cases, ({ name, ...options }) => {
        const { block, x } = familyCase(name, options);
        const y = block.forward(x, "eval");
        const deployed = deploy(block, { tolerance: rounding });
        expectClose("deployed", deployed.forward(x, "eval"), y, rounding);
        expectClose("branch by branch", toOffline(block).forward(x, "eval"), y, rounding);
        expect(deploy(deployed)).toBe(deployed);
      }),
      { numRuns: 150 },
    );
  });

  it("branch by branch in train mode", () => {
    fc.assert(
      fc.property(cases, ({ name, ...options }) => {
        const { block, x } = familyCase(name, options);
        const y = block.forward(x, "train");
        // The first pass has moved the running statistics, and with them the borders of norms inside of branches.
        const { block: again } = familyCase(name, options);
        // A batch norm enlarges rounding by up to 1 / sqrt(eps).
        expectClose("branch by branch", toOffline(again).forward(x, "train"), y, rounding / Math.sqrt(1e-3));
      }),
      { numRuns: 60 },
    );
  });

  it("branch for branch: each kernel and bias is what its maps are", () => {
    fc.assert(
      fc.property(cases, ({ name, ...options }) => {
        const { block, x } = familyCase(name, options);
        const { stride, padding, dilation, groups } = block.geometry;
        for (const branch of block.branches) {
          const bias = branch.bias?.();
          const y = conv2d(x, branch.kernel(), { stride, padding, dilation, groups });
          const expected = bias ? add(y, reshape(bias, [1, -1, 1, 1])) : y;
          expectClose(`${name}: ${branch.name}`, branch.forward(x, "eval"), expected, rounding);
        }
      }),
      { numRuns: 60 },
    );
  });
});
