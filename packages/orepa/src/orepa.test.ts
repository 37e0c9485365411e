// What the OREPA block is, whatever its numbers: names, counts, first values, and the equality of all its forms.
import { readFileSync } from "node:fs";
import { countModules, initialize, namedParameters, namedVariables, ReLU, stateDict, toDtype } from "@orepa/autograd";
import { Generator, OpError, rand, randn, reshape, tensor, zeros } from "@orepa/tensor";
import fc from "fast-check";
import { expect, it, describe as suite } from "vitest";
import { expectClose } from "./close.cases.ts";
import { DeployError, deploy } from "./deploy.ts";
import { describe } from "./describe.ts";
import { type FrequencyPrior, frequencyPrior } from "./frequency-prior.ts";
import { toOffline } from "./offline.ts";
import { type BranchName, branchNames, Orepa, type OrepaOptions } from "./orepa.ts";

suite("the state dict of an Orepa block", () => {
  it("has the published names, shapes and order", () => {
    const path = new URL("../../../fixtures/state-dict-n.json", import.meta.url);
    const reference = JSON.parse(readFileSync(path, "utf8")) as Record<string, Record<string, number[]>>;
    const expected = Object.entries(reference["yolo11n-OREPA"]!).filter(([key]) => key.startsWith("model.1."));
    const actual = [...stateDict(new Orepa(16, 32, { stride: 2 }))].map(([key, { shape }]) => [
      `model.1.${key}`,
      shape,
    ]);
    expect(actual).toEqual(expected);
  });

  it("has nothing of branches that were not chosen", () => {
    const keys = stateDict(new Orepa(4, 4, { branches: ["1x1", "origin"], norm: "none" })).keys();
    expect([...keys]).toEqual(["weight_orepa_origin", "weight_orepa_1x1", "vector"]);
  });

  it.each([
    [16, 32],
    [64, 64],
    [3, 5],
  ])("counts 29 c1 c2 + c1^2 + 72 c1 + 8 c2 parameters for %i -> %i", (c1, c2) => {
    const count = [...namedParameters(new Orepa(c1, c2)).values()].reduce((n, p) => n + p.value.size, 0);
    expect(count).toBe(29 * c1 * c2 + c1 ** 2 + 72 * c1 + 8 * c2);
  });

  it("counts as block and norm, with one activation for all blocks", () => {
    const [a, b] = [new Orepa(4, 4), new Orepa(4, 4)];
    expect(countModules(a)).toBe(3);
    expect(countModules({ a, b, forward: () => undefined })).toBe(1 + 2 + 2 + 1);
  });
});

suite("the first values of an Orepa block", () => {
  const rows = (options: OrepaOptions) => new Orepa(2, 2, options).scales().map((s) => s!.toTypedArray()[0]);
  it("are the published scales", () => expect(rows({})).toEqual([0.25, 0.25, 0, 0.5, 1, 0.5]));
  it("are those scales times sqrt(gamma)", () => expect(rows({ init: { gamma: 4 } })).toEqual([0.5, 0.5, 0, 1, 2, 1]));
  it("can be those of a plain convolution", () => {
    const block = new Orepa(2, 2, { init: { single: true } });
    expect(block.kernel().toArray()).toEqual(block.weight_orepa_origin!.value.toArray());
  });
  it("are uniform within sqrt(6 / fan_in), the gain split between the factors of the separable branch", () => {
    const block = new Orepa(8, 8, { init: { gain: 4 } });
    initialize(block, 0);
    const largest = (key: string) => Math.max(...Array.from(stateDict(block).get(key)!.toTypedArray(), Math.abs));
    for (const [key, bound] of [
      ["weight_orepa_origin", 4 * Math.sqrt(6 / 72)],
      ["weight_orepa_1x1", 4 * Math.sqrt(6 / 8)],
      ["weight_orepa_gconv_dw", 2 * Math.sqrt(6 / 9)],
      ["weight_orepa_gconv_pw", 2 * Math.sqrt(6 / 64)],
    ] as const) {
      expect(largest(key)).toBeLessThanOrEqual(bound * (1 + 1e-6));
      expect(largest(key)).toBeGreaterThan(0.8 * bound);
    }
    expect(largest("weight_orepa_1x1_kxk_idconv1")).toBe(0);
  });
});

suite("the frequency prior", () => {
  /** The filters as rows of k^2 numbers. */
  const rows = (kind: FrequencyPrior, channels: number, k: number) =>
    reshape(frequencyPrior(kind, channels, k), [channels, k * k]).toArray() as number[][];
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

  it("repeats itself and has zero filters as published", () => {
    const filters = rows("published", 64, 3);
    expect(new Set(filters.map((filter) => filter.map((v) => Math.round(v * 1e5)).join())).size).toBe(11);
    expect(filters.filter((filter) => filter.every((v) => Math.abs(v) < 1e-6))).toHaveLength(10);
  });

  it.each([3, 5])("wrapped is an orthogonal basis without the constant, for k = %i", (k) => {
    const filters = rows("wrapped", k * k - 1, k);
    for (const [i, a] of filters.entries()) {
      expect(Math.abs(a.reduce((sum, v) => sum + v, 0))).toBeLessThan(1e-5);
      expect(dot(a, a)).toBeGreaterThan(1);
      for (const b of filters.slice(i + 1)) expect(Math.abs(dot(a, b))).toBeLessThan(1e-5);
    }
    expect(rows("wrapped", k * k, k).at(-1)).toEqual(filters[0]);
  });
});

/** Random blocks: channels are multiples of the groups, the padding anything up to the window. */
const blocks = fc
  .record({
    inPerGroup: fc.integer({ min: 1, max: 3 }),
    outPerGroup: fc.integer({ min: 1, max: 3 }),
    groups: fc.integer({ min: 1, max: 3 }),
    kernelSize: fc.constantFrom(3, 5),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    padding: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
    branches: fc.subarray([...branchNames], { minLength: 1 }),
    expand: fc.integer({ min: 1, max: 3 }),
    prior: fc.constantFrom("published" as const, "wrapped" as const),
    scale: fc.constantFrom("vector" as const, "scalar" as const, "none" as const),
    norm: fc.constantFrom("post" as const, "branch" as const, "none" as const),
    seed: fc.integer({ min: 0, max: 1e6 }),
  })
  .map(({ inPerGroup, outPerGroup, padding, seed, ...options }) => {
    const rest = { ...options, ...(padding === undefined ? {} : { padding }) };
    const block = new Orepa(inPerGroup * options.groups, outPerGroup * options.groups, rest);
    const generator = new Generator(seed);
    for (const [key, v] of namedVariables(block)) {
      if (/weight_orepa_(avg_avg|prior)|id_tensor|tracked/.test(key)) continue;
      v.assign(rand(v.shape, { generator, low: key.endsWith("var") ? 0.5 : -1, high: 1.5 }));
    }
    const side = options.dilation * (options.kernelSize - 1) + 3;
    return {
      block: toDtype(block, "float64"),
      x: randn([2, inPerGroup * options.groups, side, side + 1], { generator, dtype: "float64" }),
    };
  });
/** At most 3 channels, 25 taps and 6 branches add up in an output; the factor covers what the norms enlarge. */
const rounding = 64 * 3 * 25 * 6 * 2 ** -52;
/** A batch norm enlarges rounding by up to 1 / sqrt(eps). */
const normed = rounding / Math.sqrt(1e-3);

suite("all forms of an Orepa block are the same function", () => {
  it("deployed, and branch by branch, in eval mode", () => {
    fc.assert(
      fc.property(blocks, ({ block, x }) => {
        const y = block.forward(x, "eval");
        expectClose("deployed", deploy(block, { tolerance: rounding }).forward(x, "eval"), y, rounding);
        expectClose("offline", toOffline(block).forward(x, "eval"), y, rounding);
        deploy(block, { dtype: "float32" });
      }),
      { numRuns: 60 },
    );
  });
  it("branch by branch in train mode", () => {
    fc.assert(
      fc.property(blocks, ({ block, x }) => {
        expectClose("offline", toOffline(block).forward(x, "train"), block.forward(x, "train"), normed);
      }),
      { numRuns: 30 },
    );
  });
  it.each(branchNames)(
    "the kernel of %s equals its map, without padding and with more than the window",
    (name: BranchName) => {
      for (const padding of [0, 4]) {
        const block = toDtype(
          new Orepa(4, 4, { branches: [name], groups: 2, norm: "none", scale: "none", activation: false, padding }),
          "float64",
        );
        const x = randn([1, 4, 6, 7], { generator: new Generator(1), dtype: "float64" });
        expectClose(name, toOffline(block).forward(x, "eval"), block.forward(x, "eval"), rounding);
      }
    },
  );
});

suite("deploy", () => {
  it("rounds once to the block's dtype and reports the largest deviation", () => {
    const { conv, deviation } = deploy(new Orepa(8, 8));
    expect(conv.weight.dtype).toBe("float32");
    expect(deviation).toBeGreaterThan(0);
    expect(deviation).toBeLessThan(1e-6);
    expect(conv.bias!.shape).toEqual([8]);
  });
  it("leaves a deployed block as it is", () => {
    const once = deploy(new Orepa(2, 2));
    expect(deploy(once)).toBe(once);
  });
  it("does not touch the block", () => {
    const block = new Orepa(2, 2);
    const before = [...stateDict(block).values()];
    deploy(block);
    expect([...stateDict(block).values()]).toEqual(before);
  });
  it("refuses above the tolerance, saying what it saw", () => {
    const refusal = () => deploy(new Orepa(8, 8), { tolerance: 1e-12 });
    expect(refusal).toThrow(DeployError);
    expect(refusal).toThrow(/at most 1\.00e-12 of the largest output, got \d\.\d\de-[78]/);
  });
  it("refuses values that are not finite", () => {
    const block = new Orepa(2, 2);
    block.bn!.running_var.assign(tensor([Number.NaN, 1]));
    expect(() => deploy(block)).toThrow(/got NaN/);
  });
  it("takes the probe it is given, and keeps the activation", () => {
    const act = new ReLU();
    const deployed = deploy(new Orepa(2, 2, { activation: act }), { probe: zeros([1, 2, 4, 4]) });
    expect(deployed.deviation).toBe(0);
    expect(deployed.act).toBe(act);
  });
});

suite("describe", () => {
  it("lists branches and scales", () =>
    expect(describe(new Orepa(64, 64, { stride: 2 }))).toBe(
      "OREPA 64->64 3x3 s2: origin 0.25 (mean scale), average 0.25, prior 0, 1x1-kxk 0.5, 1x1 1, depthwise-separable 0.5, 6 branches -> one 3x3",
    ));
  it("names dilation and groups, and leaves scales out where there are none", () =>
    expect(
      describe(new Orepa(4, 4, { kernelSize: 5, dilation: 2, groups: 2, scale: "none", branches: ["origin"] })),
    ).toBe("OREPA 4->4 5x5 s1 d2 g2: origin, 1 branch -> one 5x5"));
});

suite("an Orepa block refuses", () => {
  it.each([
    [{ kernelSize: 4 }, "an odd kernelSize", "4", "OREPA"],
    [{ kernelSize: 1 }, "a kernelSize of 3 or more", "1", "average"],
    [{ kernelSize: 3.5 }, "kernelSize to be a whole number >= 1", "3.5", "OREPA"],
    [{ groups: 4 }, "groups that divide inChannels 6", "4 groups", "OREPA"],
    [{ groups: 3 }, "groups that divide outChannels 8", "3 groups", "OREPA"],
    [{ groups: 2, internal: 5 }, "groups that divide the internal width 5", "2 groups", "1x1-kxk"],
    [{ padding: -1 }, "padding to be a whole number >= 0", "-1", "OREPA"],
    [{ padding: 0.5 }, "padding to be a whole number >= 0", "0.5", "OREPA"],
    [{ stride: 0 }, "stride to be a whole number >= 1", "0", "OREPA"],
    [{ expand: 0 }, "expand to be a whole number >= 1", "0", "depthwise-separable"],
    [{ branches: [] }, `at least one branch of ${branchNames.join(", ")}, each once`, "none", "OREPA"],
    [
      { branches: ["2x2" as BranchName] },
      `at least one branch of ${branchNames.join(", ")}, each once`,
      "2x2",
      "OREPA",
    ],
  ] as const)("%o", (options, expected, got, op) => {
    let error: unknown;
    try {
      new Orepa(6, 8, options);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(OpError);
    expect(error).toMatchObject({ op, expected, got });
  });
});
