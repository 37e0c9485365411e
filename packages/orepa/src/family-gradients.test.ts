// Gradients of every branch and of every block of the family against differences, in float64, of first and second order,
// and in float32 on wasm.
import {
  type Differentiable,
  grad,
  gradcheck,
  namedParameters,
  parameters,
  readStateDict,
  toDtype,
  valueAndGrad,
} from "@orepa/autograd";
import { cast, Generator, mul, rand, randn, sum, type Tensor, Variable } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { expectParity } from "../../autograd/src/testing/wasm-devices.cases.ts";
import type { Branch } from "./branch.ts";
import { OriginBranch } from "./branches/origin.ts";
import { type BranchSpec, branchKinds, buildBranch } from "./branches/table.ts";
import { expectClose } from "./close.cases.ts";
import { blockNames } from "./definitions.ts";
import { familyCase, placements, smallWindows } from "./family.cases.ts";
import { geometry } from "./geometry.ts";
import { mergedKernel } from "./merge.ts";

const context = { gain: 1, normOptions: { eps: 1e-3, momentum: 0.03 } };
const point = { kernelSize: 1 } as const;

/** At least one case of each kind; the type asks for it. */
const branches: { readonly [K in BranchSpec["kind"]]: readonly (BranchSpec & { readonly kind: K })[] } = {
  origin: [{ kind: "origin" }],
  "1x1": [{ kind: "1x1" }],
  average: [{ kind: "average" }],
  prior: [{ kind: "prior" }, { kind: "prior", prior: "wrapped" }],
  "1x1-kxk": [{ kind: "1x1-kxk", width: 6 }],
  "1x1-1x1": [{ kind: "1x1-1x1" }],
  "depthwise-separable": [{ kind: "depthwise-separable", expand: 2 }],
  identity: [{ kind: "identity" }],
  pool: [{ kind: "pool" }],
  "1xk": [{ kind: "1xk" }],
  kx1: [{ kind: "kx1" }],
  small: [
    { kind: "small", size: 3 },
    { kind: "small", size: 3, spacing: 2 },
  ],
  fixed: [
    { kind: "fixed", filter: "sobel-x" },
    { kind: "fixed", filter: "sobel-y" },
    { kind: "fixed", filter: "laplacian" },
  ],
  "near-identity": [{ kind: "near-identity" }],
  chain: [
    {
      kind: "chain",
      stages: [
        { stage: { kind: "origin" }, kernelSize: 1, width: 6 },
        { stage: { kind: "origin" }, kernelSize: 3, width: 6 },
        { stage: { kind: "origin" }, kernelSize: 3 },
      ],
    },
    {
      kind: "chain",
      mirrored: true,
      stages: [
        { stage: { kind: "sum", branches: [{ kind: "origin" }, { kind: "average" }] }, kernelSize: 3 },
        { stage: { kind: "origin" }, kernelSize: 3 },
      ],
    },
    {
      kind: "chain",
      stages: [
        { stage: { kind: "near-identity" }, kernelSize: 1, width: 6 },
        { stage: { kind: "origin" }, kernelSize: 5, norm: true },
      ],
    },
  ],
  sum: [{ kind: "sum", branches: [{ kind: "origin" }, { kind: "prior" }, { kind: "1x1" }], scale: "scalar" }],
  custom: [{ kind: "custom", build: (g) => new OriginBranch(g) }],
};

/** A branch with no zero among its factors. */
function made(
  spec: BranchSpec,
  groups: number,
): { readonly branch: Branch; readonly weights: Tensor; readonly x: Tensor } {
  const kernelSize = /^(1x1-1x1|near-identity)$/.test(spec.kind) ? point.kernelSize : 5;
  const branch = buildBranch(geometry("test", 4, 4, { kernelSize, groups, padding: 1 }), spec, context);
  const generator = new Generator("branch");
  for (const p of namedParameters(toDtype(branch, "float64")).values())
    p.assign(rand(p.shape, { generator, low: 0.2, high: 1, dtype: "float64" }));
  const weights = randn(branch.kernel().shape, { generator, dtype: "float64" });
  return { branch, weights, x: randn([1, 4, 6, 5], { generator, dtype: "float64" }) };
}

describe("a branch", () => {
  const all = branchKinds.flatMap((kind) =>
    branches[kind].flatMap((spec, i) => [1, 2].map((groups) => ({ kind, i, groups, spec }))),
  );

  it.each(all)(
    "$kind ($i) in $groups groups has right gradients of its kernel, in closed form too",
    ({ spec, groups }) => {
      const { branch, weights } = made(spec, groups);
      const scale = rand([4, 1, 1, 1], { generator: new Generator(1), low: 0.5, high: 1, dtype: "float64" });
      const kernel = () => mul(mergedKernel({ branches: [branch], scales: () => [scale] }), weights);
      const factors = branch.factors;
      gradcheck(() => kernel(), [scale, ...factors], { order: 1 });
      gradcheck(() => mul(kernel(), branch.kernel(scale)), [scale, ...factors], { order: 2 });
      // The ops of the kernel are the oracle of the closed form.
      const closed = grad(() => sum(mul(kernel(), kernel())), [scale, ...factors]);
      const plain = () => mul(branch.kernel(scale), weights);
      for (const [of, g] of grad(() => sum(mul(plain(), plain())), [scale, ...factors]))
        expectClose("closed form", closed.get(of)!, g, 1e-12);
    },
  );

  it.each(all)("$kind ($i) in $groups groups has right gradients on feature maps", ({ spec, groups }) => {
    const { branch, x } = made(spec, groups);
    gradcheck((input) => branch.forward(input!, "eval"), [x, ...parameters(branch)], { order: 1 });
  });

  it.each(all)("$kind ($i) in $groups groups has the same kernel, map and gradients on wasm", ({ spec, groups }) =>
    expectParity((dtype) => {
      const { branch, weights, x } = made(spec, groups);
      const scale = new Variable(rand([4, 1, 1, 1], { generator: new Generator(1), low: 0.5, high: 1, dtype }));
      toDtype(branch, dtype);
      const kernel = () => mergedKernel({ branches: [branch], scales: () => [scale.value] });
      const run = (input: Tensor) => ({
        ...withGradients("kernel", () => mul(kernel(), cast(weights, dtype)), { scale, ...named(branch) }),
        ...withGradients("map", () => branch.forward(input, "eval"), { input, ...named(branch) }),
      });
      return { inputs: [cast(x, dtype)], run: (input) => run(input!) };
    }, gradientsTogether),
  );

  it("has its factors among its parameters, each once", () => {
    for (const { spec, groups } of all) {
      const { branch } = made(spec, groups);
      expect(new Set(branch.factors).size).toBe(branch.factors.length);
      expect(new Set(branch.factors)).toEqual(new Set(parameters(branch)));
    }
  });
});

/**
 * Small enough for differences, half of them in 2 groups or with stride 2. Without padding: norms inside of branches pad with a value that
 * counts as a constant in train mode.
 */
const blocks = blockNames.flatMap((name, i) =>
  placements.map((norm, j) => ({
    name,
    norm,
    options: {
      ...{ expand: 2, copies: 2, windows: smallWindows, padding: 0 },
      ...{ groups: 1 + (i % 2), stride: 1 + (j % 2) },
    },
  })),
);

describe("a block", () => {
  it.each(blocks)("$name with norms $norm has right gradients in train mode", ({ name, norm, options }) => {
    const { block, x } = familyCase(name, { ...options, norm, activation: false });
    gradcheck((input) => block.forward(input!, "train"), [x, ...parameters(block)], { order: 1 });
  });

  it.each(blocks.filter(({ norm }) => norm === "post" || norm === "both"))(
    "$name with norms $norm has right gradients of second order",
    ({ name, norm, options }) => {
      const { block, x } = familyCase(name, { ...options, norm, inChannels: 2, outChannels: 2 });
      gradcheck((input) => block.forward(input!, "eval"), [x, ...parameters(block)], { order: 2, directions: 1 });
    },
  );

  it.each(blocks)("$name with norms $norm has the same values and gradients on wasm", ({ name, norm, options }) =>
    expectParity((dtype) => {
      const { block, x } = familyCase(name, { ...options, norm, activation: false });
      toDtype(block, dtype);
      const run = (input: Tensor) =>
        withGradients("y", () => block.forward(input, "train"), { input, ...named(block) });
      return { inputs: [cast(x, dtype)], run: (input) => run(input!), after: () => readStateDict(block) };
    }, gradientsTogether),
  );
});

/** The gradients of one value are sums of the same cotangents. */
const gradientsTogether = { scale: (key: string) => /^gradient of \w+/.exec(key)?.[0] ?? key };
const named = (module: object) => Object.fromEntries(namedParameters(module));

/** A value, and the gradients of its sum with drawn weights: that of its squares would be constant behind a norm. */
function withGradients(
  name: string,
  fn: () => Tensor,
  wrt: Readonly<Record<string, Differentiable>>,
): Record<string, Tensor> {
  let value: Tensor | undefined;
  const { grads } = valueAndGrad(() => {
    value = fn();
    return sum(mul(value, randn(value.shape, { generator: new Generator(2), dtype: value.dtype })));
  }, Object.values(wrt));
  const gradients = Object.entries(wrt).map(([key, of]) => [`gradient of ${name} for ${key}`, grads.get(of)!]);
  return { [name]: value!, ...Object.fromEntries(gradients) };
}
