// Training of a small network of OREPA blocks in a browser, on WebGL2 and WebGPU, against the reference in float64.
import {
  createSgd,
  groupParameters,
  initialize,
  type Mode,
  namedVariables,
  parameters,
  readVariables,
  toDtype,
  valueAndGrad,
} from "@orepa/autograd";
import { cast, compile, createGpu, type DeviceSpec, Generator, mean, mul, rand, sub, type Tensor } from "@orepa/tensor";
import { expect, it } from "vitest";
import { type Change, expectSameChange, roundingOf } from "../../autograd/src/testing/training-change.cases.ts";
import { createBlock } from "./definitions.ts";

const [STEPS, BATCH, SIDE, CHANNELS] = [3, 2, 8, 4];
const rate = 0.05;

class Net {
  readonly first = createBlock("orepa", 1, CHANNELS);
  readonly second = createBlock("orepa", CHANNELS, 1, { activation: false });
  forward(x: Tensor, mode: Mode): Tensor {
    return this.second.forward(this.first.forward(x, mode), mode);
  }
}

/** Trains the network to give back what it is given. */
async function train(dtype: "float32" | "float64", device: DeviceSpec): Promise<Change> {
  const net = new Net();
  initialize(net, 0);
  toDtype(net, dtype);
  const sgd = createSgd(groupParameters(net));
  using step = compile(
    (x: Tensor) => {
      const off = () => sub(net.forward(x, "train"), x);
      const { value, grads } = valueAndGrad(() => mean(mul(off(), off())), parameters(net));
      sgd.update(grads, { learningRates: [rate, rate, rate], momentum: 0.9, weightDecay: 5e-4 });
      return value;
    },
    { device },
  );
  const variables = new Map([...namedVariables(net)].map(([key, v]) => [`weights ${key}`, v]));
  const before = await readVariables(variables);
  const generator = new Generator("pictures");
  let loss = Number.NaN;
  for (let i = 0; i < STEPS; i++) {
    const pictures = rand([BATCH, 1, SIDE, SIDE], { generator });
    loss = (await step(cast(pictures, dtype))).item();
  }
  return { loss, before, after: await readVariables(variables) };
}

it.each(["gpu:webgl2", "gpu:webgpu"] as const)("steps on %s change what they change in float64", async (name) => {
  const exact = await train("float64", "cpu");
  const device = createGpu(name);
  const found = await train("float32", device);
  await device.dispose();
  expect(device.usage.handles).toBe(0);
  // layers that rounding passes through, forward and back, and the terms of the largest sums in them
  expectSameChange(found, exact, roundingOf({ layers: STEPS * 20, terms: BATCH * SIDE ** 2 }));
});
