// Gradients of the OREPA block against differences, in float64, for every subset of its branches.
import { gradcheck, Identity, type Mode, namedParameters, SiLU, toDtype } from "@orepa/autograd";
import { Generator, rand, randn } from "@orepa/tensor";
import { describe, it } from "vitest";
import { toOffline } from "./offline.ts";
import { Orepa, type OrepaOptions } from "./orepa.ts";
import { branchSubsets, subsetGeometries } from "./subsets.cases.ts";

/** A block of 4 to 4 channels with no zero among its parameters, checked for its input and all parameters. */
function check(
  options: OrepaOptions,
  mode: Mode,
  { order = 1, offline = false }: { order?: 1 | 2; offline?: boolean } = {},
) {
  const block = toDtype(new Orepa(4, 4, { expand: 2, activation: new SiLU(), ...options }), "float64");
  const generator = new Generator("orepa gradients");
  const parameters = [...namedParameters(block).values()];
  for (const p of parameters) p.assign(rand(p.shape, { generator, low: 0.2, high: 1, dtype: "float64" }));
  const x = randn([2, 4, 5, 4], { generator, dtype: "float64" });
  const module = offline ? toOffline(block) : block;
  gradcheck((input) => module.forward(input!, mode), [x, ...parameters], { order });
}

describe("the gradient of an Orepa block is right", () => {
  it.each(branchSubsets.map((branches, i) => ({ branches, geometry: subsetGeometries[i % subsetGeometries.length]! })))(
    "with $branches and $geometry",
    ({ branches, geometry }) => check({ branches, ...geometry }, "train"),
  );
  it.each(subsetGeometries)("with all branches, %o", (geometry) => check(geometry, "train"));
  it("in eval mode", () => check({}, "eval"));
  it("with one channel per group", () => check({ groups: 4 }, "train"));
  it("with an inner width of its own", () => check({ internal: 6, groups: 2 }, "train"));
  it("with the wrapped prior", () => check({ prior: "wrapped" }, "train"));
  it.each(["scalar", "none"] as const)("with scales of kind %s", (scale) => check({ scale }, "train"));
  it("with a norm per branch", () => check({ norm: "branch", branches: ["origin", "1x1"] }, "train"));
  it("without any norm", () => check({ norm: "none", activation: new Identity() }, "train"));
  it("computed branch by branch", () => check({ groups: 2 }, "train", { offline: true }));
  it("at second order", () => check({ groups: 2 }, "eval", { order: 2 }));
});
