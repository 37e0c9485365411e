// The merge in closed form against the composed one, its oracle: the same kernel and gradients, and only the kernel kept.
import {
  BatchNorm2d,
  Conv2d,
  createSgd,
  grad,
  gradcheck,
  groupParameters,
  type Mode,
  type Module,
  namedParameters,
  type Parameter,
  parameters,
  toDtype,
  valueAndGrad,
} from "@orepa/autograd";
import { cast, compile, Generator, mul, ones, rand, randn, silu, sum, type Tensor } from "@orepa/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { wasmDevices } from "../../autograd/src/testing/wasm-devices.cases.ts";
import { sumOfKernels } from "./block.ts";
import type { Branch } from "./branch.ts";
import { expectClose } from "./close.cases.ts";
import { keptBytes } from "./kept.cases.ts";
import { mergedKernel } from "./merge.ts";
import { branchNames, Orepa } from "./orepa.ts";

const tolerance = 1e-10;

/** Random blocks with no zero among their parameters. */
const blocks = fc
  .record({
    inPerGroup: fc.integer({ min: 1, max: 4 }),
    outPerGroup: fc.integer({ min: 1, max: 4 }),
    innerPerGroup: fc.integer({ min: 1, max: 5 }),
    groups: fc.integer({ min: 1, max: 3 }),
    kernelSize: fc.constantFrom(3, 5, 7),
    branches: fc.subarray([...branchNames], { minLength: 1 }),
    expand: fc.integer({ min: 1, max: 3 }),
    prior: fc.constantFrom("published" as const, "wrapped" as const),
    scale: fc.constantFrom("vector" as const, "scalar" as const, "none" as const),
    seed: fc.integer({ min: 0, max: 1e6 }),
  })
  .map(({ inPerGroup, outPerGroup, innerPerGroup, seed, ...options }) => {
    const { groups } = options;
    const internal = innerPerGroup * groups;
    return filled(new Orepa(inPerGroup * groups, outPerGroup * groups, { ...options, internal, norm: "none" }), seed);
  });

/** The block in float64 with random parameters, and random weights for its kernel. */
function filled(orepa: Orepa, seed: number | string) {
  const block = toDtype(orepa, "float64");
  const generator = new Generator(seed);
  for (const p of namedParameters(block).values())
    p.assign(rand(p.shape, { generator, low: 0.2, high: 1, dtype: "float64" }));
  return { block, weights: randn(block.kernel().shape, { generator, dtype: "float64" }) };
}

/** Gradients of <weights, K>, and the gradients of the sum of their squares: of first and second order. */
function gradients(block: Orepa, weights: Tensor, merge: (block: Orepa) => Tensor) {
  const all = parameters(block);
  // Squared, so that the second gradient also goes through the cotangent.
  const first = () => grad(() => sum(mul(mul(merge(block), merge(block)), weights)), all);
  const second = grad(() => [...first().values()].map((g) => sum(mul(g, g))).reduce((a, b) => mul(a, b)), all);
  return { first: first(), second };
}

describe("the merge in closed form", () => {
  it("gives the kernel and the gradients of the composed merge, for any branches", () => {
    fc.assert(
      fc.property(blocks, ({ block, weights }) => {
        expectClose("kernel", mergedKernel(block), sumOfKernels(block), tolerance);
        const [closed, composed] = [gradients(block, weights, mergedKernel), gradients(block, weights, sumOfKernels)];
        for (const [key, p] of namedParameters(block)) {
          expectClose(key, closed.first.get(p)!, composed.first.get(p)!, tolerance);
          expectClose(`second order, ${key}`, closed.second.get(p)!, composed.second.get(p)!, tolerance);
        }
      }),
      { numRuns: 50 },
    );
  });

  it.each([{}, { groups: 2, internal: 6 }, { kernelSize: 5 }])(
    "has gradients of both orders that hold against differences, %o",
    (options) => {
      const { block, weights } = filled(new Orepa(4, 2, { expand: 2, norm: "none", ...options }), "differences");
      gradcheck(() => mul(mergedKernel(block), weights), parameters(block), { order: 2 });
    },
  );

  it("gives the composed gradients where a kernel is so large that its products are added up by rows of the window", () => {
    const { block, weights } = filled(
      new Orepa(344, 344, { branches: ["1x1-kxk"], norm: "none", activation: false }),
      "large",
    );
    const first = (merge: (block: Orepa) => Tensor) =>
      grad(() => sum(mul(merge(toDtype(block, "float32")), cast(weights, "float32"))), parameters(block));
    const [closed, composed] = [first(mergedKernel), first(sumOfKernels)];
    // Sums of at most 9 places and 344 channels.
    for (const [key, p] of namedParameters(block))
      expectClose(key, closed.get(p)!, composed.get(p)!, 9 * 344 * 2 ** -24);
  });

  it("leaves the gradient of a branch without an adjoint to its ops", () => {
    const { block, weights } = filled(new Orepa(4, 4, { groups: 2, norm: "none" }), "mixed");
    for (const plain of [["average", "1x1-kxk"], branchNames] as readonly (readonly string[])[]) {
      const branches = block.branches.map(
        (branch): Branch =>
          plain.includes(branch.name)
            ? {
                name: branch.name,
                factors: branch.factors,
                kernel: (scale) => branch.kernel(scale),
                forward: (x, mode) => branch.forward(x, mode),
              }
            : branch,
      );
      const mixed = gradients(block, weights, () => mergedKernel({ branches, scales: () => block.scales() }));
      const composed = gradients(block, weights, sumOfKernels);
      for (const [key, p] of namedParameters(block))
        expectClose(key, mixed.first.get(p)!, composed.first.get(p)!, tolerance);
    }
  });

  it("sends a gradient to the scale of a branch whose scale is 0, and none to its factors", () => {
    const block = new Orepa(4, 4, { branches: ["prior"], norm: "none" });
    block.weight_orepa_pfir_conv!.assign(ones([4, 4, 1, 1]));
    const grads = grad(() => sum(block.kernel(), [0, 1, 2, 3]), parameters(block));
    expect(
      grads
        .get(block.weight_orepa_pfir_conv!)!
        .toTypedArray()
        .every((v) => v === 0),
    ).toBe(true);
    expect(
      grads
        .get(block.vector!)!
        .toTypedArray()
        .some((v) => v !== 0),
    ).toBe(true);
  });
});

class Plain implements Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;

  constructor(channels: number, groups: number) {
    this.conv = new Conv2d(channels, channels, 3, { padding: 1, bias: false, groups });
    this.bn = new BatchNorm2d(channels);
  }
  forward(x: Tensor, mode: Mode): Tensor {
    return silu(this.bn.forward(this.conv.forward(x), mode));
  }
}

describe("a training step", () => {
  const channels = 8;
  const x = randn([2, channels, 6, 6], { generator: new Generator("kept") });
  const kept = async (module: Module): Promise<number> => {
    using step = compile((input) => {
      const { value, grads } = valueAndGrad<Tensor>(
        () => sum(mul(module.forward(input, "train"), input)),
        [input, ...parameters(module).map((p) => p.value)],
      );
      return { value, ...Object.fromEntries([...grads.values()].map((g, i) => [`${i}`, g])) };
    });
    await step(x);
    return keptBytes(step.print());
  };

  it.each([{}, { groups: 2 }])(
    "keeps what a plain convolution keeps and one kernel, %o",
    async ({ groups = 1 }: { groups?: number }) => {
      const block = new Orepa(channels, channels, { groups });
      const kernel = block.kernel().size * Float32Array.BYTES_PER_ELEMENT;
      expect(await kept(block)).toBe((await kept(new Plain(channels, groups))) + kernel);
    },
  );

  it.each([
    { channels: 64, side: 56, batch: 4 },
    { channels: 128, side: 28, batch: 8 },
    { channels: 256, side: 14, batch: 16 },
    { channels: 512, side: 7, batch: 16 },
  ])(
    "with its update is planned within a plain convolution's memory and one kernel, $channels channels",
    ({ channels: count, side, batch }) => {
      const planned = (module: Module): number => {
        const sgd = createSgd(groupParameters(module));
        const trained = parameters(module);
        using step = compile(
          (input) => {
            const loss = () => sum(mul(module.forward(input, "train"), input));
            const { value, grads } = valueAndGrad<Tensor | Parameter>(loss, [input, ...trained]);
            sgd.update(grads, { learningRates: [0.01, 0.01, 0.01], momentum: 0.9, weightDecay: 5e-4 });
            return { value, inputGradient: sum(grads.get(input)!) };
          },
          { device: wasmDevices[0].device },
        );
        return step.prepare({ shape: [batch, count, side, side], dtype: "float32" })!.arena;
      };
      // Values lie on cache lines of 64 bytes, with room to read past their ends.
      const extra = 9 * count ** 2 * Float32Array.BYTES_PER_ELEMENT + 64;
      expect(planned(new Orepa(count, count))).toBeLessThanOrEqual(planned(new Plain(count, 1)) + extra);
    },
  );
});
