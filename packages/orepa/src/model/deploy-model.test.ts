// Whole networks deployed in one pass: the same scores, plain convolutions, and nothing touched where a block is refused.
import { BatchNorm2d, namedModules, stateDict, toDtype } from "@orepa/autograd";
import { tensor } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { expectClose } from "../close.cases.ts";
import { DeployError } from "../deploy.ts";
import { blockChoices } from "../nets/choices.ts";
import { deployModel } from "./deploy-model.ts";
import { inputShape, network, x } from "./network.cases.ts";

describe("deployModel", () => {
  it.each(blockChoices)("of a residual network of %s blocks keeps the scores and leaves no norm", (block) => {
    const net = network({ block });
    const before = net.forward(x, "eval");
    const { model, report } = deployModel(net, { inputShape });
    expect(model).toBe(net);
    expectClose("scores", net.forward(x, "eval"), before, 1e-4);
    expect([...namedModules(net)].filter(([, module]) => module instanceof BatchNorm2d)).toEqual([]);
    expect(report.blocks).toHaveLength(1 + 4 * 2 + 3);
    expect(report.deviation).toBeLessThan(1e-5);
    expect(report.parameters.after).toBeLessThanOrEqual(report.parameters.before);
    expect(report.flops.after).toBeLessThanOrEqual(report.flops.before);
    expect(report.flops.after).toBe(deployModel(network(), { inputShape }).report.flops.after);
    const again = deployModel(net, { inputShape }).report;
    expect(again).toMatchObject({ blocks: [], deviation: 0, parameters: { before: report.parameters.after } });
  });

  it("counts the blocks' operations", () => {
    const { report } = deployModel(network(), { inputShape });
    const [stem] = report.blocks;
    expect(stem).toMatchObject({ path: "stem", kind: "Conv", flops: { after: 2 * 2 * 16 * 16 * 8 * 27 } });
    const sum = report.blocks.reduce((n, { flops }) => n + flops.after, 0);
    expect(report.flops.after - sum).toBe(2 * 2 * 64 * 5); // the last layer
  });

  it("refuses a block above the tolerance, names it and leaves the network as it was", () => {
    const net = network({ block: "orepa" });
    const state = [...stateDict(net).keys()];
    expect(() => deployModel(net, { inputShape, tolerance: 1e-12 })).toThrow(
      /plain convolution of stem \(OREPA\) to differ by at most 1\.00e-12/,
    );
    expect([...stateDict(net).keys()]).toEqual(state);
    const broken = network();
    (broken.stem as unknown as { bn: BatchNorm2d }).bn.running_var.assign(tensor(new Array(8).fill(Number.NaN)));
    const refusal = () => deployModel(broken, { inputShape });
    expect(refusal).toThrow(DeployError);
    expect(refusal).toThrow("deploy: expected finite outputs of stem (Conv), got NaN");
  });

  it("works in float64 and exchanges a network that is itself a block", () => {
    const net = toDtype(network({ block: "orepa" }), "float64");
    expect(deployModel(net, { inputShape }).report.deviation).toBeLessThan(1e-13);
    const { stem } = network();
    const { model } = deployModel(stem, { inputShape });
    expect(model).not.toBe(stem);
    expectClose("block", model.forward(x, "eval"), stem.forward(x, "eval"), 1e-5);
  });
});
