// What blocks, branches and checkpoints refuse and say, and what blocks start with.
import { initialize, Parameter, stateDict } from "@orepa/autograd";
import { conv2d, OpError, ones, relu, type Tensor, zeros } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import type { Branch } from "./branch.ts";
import type { BranchSpec } from "./branches/table.ts";
import { customL2 } from "./custom-l2.ts";
import { blockNames, createBlock } from "./definitions.ts";
import { deploy } from "./deploy.ts";
import { kernelSizes } from "./family.cases.ts";
import { referenceBlock } from "./published.cases.ts";
import { loadPublished, publishedState } from "./published.ts";
import { type BlockDefinition, RepBlock } from "./rep-block.ts";

describe("every block refuses", () => {
  it.each(blockNames)("%s: an even kernel, and groups that do not divide", (name) => {
    expect(() => createBlock(name, 4, 4, { kernelSize: 4 })).toThrow(/expected an odd kernelSize, got 4/);
    const [kernelSize] = kernelSizes[name];
    expect(() => createBlock(name, 6, 6, { kernelSize: kernelSize!, groups: 4 })).toThrow(
      /expected groups that divide inChannels 6, got 4 groups/,
    );
  });
});

const block = (branch: BranchSpec, options = {}): RepBlock =>
  new RepBlock({ title: "Mine", branches: () => [{ kind: "origin" }, branch] }, 4, 4, options);

describe("a branch refuses", () => {
  it.each<[BranchSpec, string]>([
    [{ kind: "1x1-1x1" }, "1x1-1x1: expected a kernelSize of 1, got 3"],
    [{ kind: "near-identity" }, "near-identity: expected a kernelSize of 1, got 3"],
    [{ kind: "small", size: 5 }, "small: expected an odd window within 3x3, got 5x5 taps, 1 apart"],
    [{ kind: "small", size: 2 }, "small: expected an odd window within 3x3, got 2x2 taps, 1 apart"],
    [{ kind: "small", size: 3, spacing: 2 }, "small: expected an odd window within 3x3, got 3x3 taps, 2 apart"],
    [{ kind: "fixed", filter: "sobel" as "sobel-x" }, "sobel: expected one of sobel-x, sobel-y, laplacian, got sobel"],
    [
      { kind: "depthwise-separable", expand: 0 },
      "depthwise-separable: expected expand to be a whole number >= 1, got 0",
    ],
    [{ kind: "chain", stages: [] }, "chain: expected stages that make a window of 3, got none, which make 1"],
    [
      { kind: "chain", stages: [{ stage: { kind: "origin" }, kernelSize: 5 }] },
      "chain: expected stages that make a window of 3, got 5, which make 5",
    ],
    [
      {
        kind: "chain",
        stages: [
          { stage: { kind: "origin" }, kernelSize: 1, norm: true },
          { stage: { kind: "origin" }, kernelSize: 3 },
        ],
      },
      "chain: expected norms at the first window or after it, got one before stage 0",
    ],
    [
      { kind: "1x1", name: "bn" },
      "Mine: expected names without dots other than vector, bn, norms, act, forward, got bn",
    ],
    [{ kind: "origin" }, "Mine: expected at least one branch of origin, origin, each once, got origin"],
  ])("%o", (branch, message) => expect(() => block(branch)).toThrow(message));

  it("another number of channels out than in where it is the identity", () =>
    expect(() => new RepBlock({ title: "Mine", branches: () => [{ kind: "identity" }] }, 4, 6)).toThrow(
      "identity: expected as many channels out as in, got 4 in, 6 out",
    ));
  it("widths that the groups do not divide", () =>
    expect(() => createBlock("orepa-stem", 4, 4, { kernelSize: 5, groups: 2, width: 5 })).toThrow(
      "stem: expected groups that divide the width 5, got 2 groups",
    ));
});

describe("a branch of your own", () => {
  class Mine implements Branch {
    readonly name = "mine";
    readonly weight = new Parameter([4, 4, 3, 3], { kind: "uniform", bound: 1 });
    readonly #bend: (x: Tensor) => Tensor;

    constructor(bend: (x: Tensor) => Tensor) {
      this.#bend = bend;
    }
    get factors() {
      return [this.weight];
    }
    kernel() {
      return this.weight.value;
    }
    forward(x: Tensor) {
      return this.#bend(conv2d(x, this.weight.value, { padding: 1 }));
    }
  }

  it.each(["post", "branch"] as const)("merges if it is linear, norms %s", (norm) =>
    expect(
      deploy(block({ kind: "custom", name: "mine", build: () => new Mine((x) => x) }, { norm })).deviation,
    ).toBeLessThan(1e-5),
  );
  it.each(["post", "branch"] as const)("is refused if there is a non-linearity in it, norms %s", (norm) => {
    const bent = block({ kind: "custom", name: "mine", build: () => new Mine(relu) }, { norm });
    expect(() => bent.merge()).toThrow('Mine: expected branches that are linear, got "mine", which is not');
    expect(() => deploy(bent)).toThrow(OpError);
  });
  it("is refused if its kernel is another", () => {
    const other = block({
      kind: "custom",
      name: "mine",
      build: () => new Mine((x) => conv2d(x, ones([4, 4, 1, 1], { dtype: "float64" }))),
    });
    expect(() => other.merge()).toThrow("expected branches that are the convolution with their kernel");
  });
});

describe("a checkpoint is refused", () => {
  const { tensors } = referenceBlock("orepa_basic.safetensors");
  const own = new Map(
    [...tensors].flatMap(([key, t]) => (/^(param|buffer)\./.test(key) ? [[key.replace(/^\w+\./, ""), t]] : [])),
  );
  const orepa = createBlock("orepa", 6, 8);

  it("of another block", () => {
    expect(() => loadPublished(createBlock("dbb", 6, 8), own)).toThrow(
      'publishedState: expected weights of a DBB block, got "weight_orepa_origin" (of another block?)',
    );
    expect(() => loadPublished(createBlock("orepa", 6, 9), own)).toThrow(/of shape \[9,6,3,3\], got \[8,6,3,3\]/);
  });
  it("that lacks something", () => {
    const part = new Map([...own].filter(([key]) => key !== "weight_orepa_1x1"));
    expect(() => publishedState(orepa, part)).toThrow(
      /expected weights of a OREPA block, got none for weight_orepa_1x1/,
    );
  });
  it("for a block that was not published, and the block stays as it is", () => {
    const mixer = createBlock("repmixer", 4, 4, { groups: 4 });
    expect(() => publishedState(mixer, new Map())).toThrow(/expected a block of Plain, OREPA/);
    const before = [...stateDict(orepa).values()];
    expect(() => loadPublished(orepa, new Map([...own, ["extra", zeros([1])]]))).toThrow('"extra"');
    expect([...stateDict(orepa).values()]).toEqual(before);
  });
});

describe("the decay of RepVGG is refused", () => {
  it.each([
    ["orepa", {}],
    ["repvgg", { norm: "post" }],
    ["repvgg", { branches: ["dense"] }],
  ] as const)("by %s %o", (name, options) =>
    expect(() => customL2(createBlock(name, 4, 4, options))).toThrow(
      /customL2: expected a branch (dense|1x1) with a norm/,
    ),
  );
});

describe("a definition of your own", () => {
  it("is a block like any other", () => {
    const cross: BlockDefinition = {
      title: "Cross",
      branches: () => [{ kind: "1xk" }, { kind: "kx1", firstScale: 0.5 }, { kind: "fixed", filter: "laplacian" }],
    };
    const made = createBlock(cross, 4, 6, { stride: 2 });
    expect([...stateDict(made).keys()].slice(0, 5)).toEqual([
      "1xk.weight",
      "kx1.weight",
      "laplacian.conv",
      "laplacian.filter",
      "vector",
    ]);
    expect(made.scales().map((s) => s!.toTypedArray()[0])).toEqual([1, 0.5, 1]);
    expect(deploy(made).deviation).toBeLessThan(1e-5);
  });
});

describe("the first values of a block", () => {
  const bound = (name: "repvgg-orepa" | "repvgg" | "orepa-1x1" | "dbb", key: string): number => {
    const made = createBlock(name, 16, 32, name === "orepa-1x1" ? { kernelSize: 1 } : {});
    initialize(made, 0);
    return Math.max(...Array.from(stateDict(made).get(key)!.toTypedArray(), Math.abs));
  };
  it.each([
    ["repvgg-orepa", "dense.origin.weight", Math.sqrt(3 / 144)],
    ["repvgg-orepa", "dense.depthwise-separable.depthwise", Math.sqrt(3 / 9)],
    ["repvgg-orepa", "1x1.weight", Math.sqrt(1 / 16)],
    ["repvgg", "dense.weight", Math.sqrt(1 / 144)],
    ["orepa-1x1", "1x1-1x1.outer", Math.sqrt(3 / 16)],
    ["dbb", "1x1-kxk.1.weight", Math.sqrt(1 / 144)],
  ] as const)("%s: %s lies within %f", (name, key, expected) => {
    expect(bound(name, key)).toBeLessThanOrEqual(expected * (1 + 1e-6));
    expect(bound(name, key)).toBeGreaterThan(0.8 * expected);
  });
  it("make copies of a kernel differ", () => {
    const made = createBlock("mobileone", 4, 4);
    initialize(made, 0);
    const [first, second] = ["conv0.weight", "conv1.weight"].map((key) => stateDict(made).get(key)!.toArray());
    expect(first).not.toEqual(second);
  });
});
