// A whole training step as one program: forward, backward, clipping, optimizer and EMA give what they give eagerly.
import { compile, Generator, mean, rand, silu, square, sub, type Tensor, tensor } from "@orepa/tensor";
import { expect, test } from "vitest";
import { valueAndGrad } from "../grad.ts";
import { BatchNorm2d } from "../nn/batch-norm.ts";
import { Conv2d } from "../nn/conv.ts";
import { initialize, type Mode, type Module, parameters } from "../nn/module.ts";
import { readStateDict } from "../nn/state-dict.ts";
import { computeOnWasm, wasmDevices } from "../testing/wasm-devices.cases.ts";
import { createAdamw } from "./adamw.ts";
import { clipGradNorm } from "./clip-grad-norm.ts";
import { emaDecay, updateEma } from "./ema.ts";
import { groupParameters } from "./parameter-groups.ts";
import { createSgd } from "./sgd.ts";

class Net implements Module {
  readonly conv = new Conv2d(2, 4, 3, { bias: false });
  readonly bn = new BatchNorm2d(4);
  readonly head = new Conv2d(4, 1, 1);

  forward(x: Tensor, mode: Mode): Tensor {
    return this.head.forward(silu(this.bn.forward(this.conv.forward(x), mode)));
  }
}

function training(kind: "sgd" | "adamw") {
  const [net, average] = [new Net(), new Net()];
  for (const module of [net, average]) initialize(module, 1);
  const groups = groupParameters(net);
  const sgd = createSgd(groups, { nesterov: true });
  const adamw = createAdamw(groups);
  const step = (x: Tensor, target: Tensor, lr: Tensor, momentum: Tensor, weightDecay: Tensor, decay: Tensor) => {
    const { value, grads } = valueAndGrad(() => mean(square(sub(net.forward(x, "train"), target))), parameters(net));
    const clipped = clipGradNorm(grads, 0.5);
    const learningRates = [lr, lr, lr];
    if (kind === "sgd") sgd.update(clipped.grads, { learningRates, momentum, weightDecay });
    else adamw.update(clipped.grads, { learningRates, beta1: momentum, weightDecay });
    updateEma(average, net, decay);
    return { loss: value, norm: clipped.norm };
  };
  return { net, average, step };
}

const devices = [{ name: "cpu", device: "cpu" } as const, ...wasmDevices];
const cases = (["sgd", "adamw"] as const).flatMap((kind) => devices.map((where) => ({ kind, ...where })));

test.each(cases)(
  "$kind: a step compiled for $name equals the eager one, and the loss falls",
  async ({ kind, device }) => {
    const generator = new Generator(3);
    const x = rand([4, 2, 6, 6], { generator });
    const target = rand([4, 1, 4, 4], { generator });
    const [eager, compiled] = [training(kind), training(kind)];
    using program = compile(compiled.step, { device });
    const losses: number[] = [];
    for (let i = 1; i <= 8; i++) {
      const hyper = [0.02 * i, 0.9, 0.001, emaDecay(i, { tau: 10 })].map((v) => tensor(v)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      const a = eager.step(x, target, ...hyper);
      const b = await program(x, target, ...hyper);
      losses.push(a.loss.item());
      for (const key of ["loss", "norm"] as const) expect(b[key]!.item()).toBeCloseTo(a[key].item(), 5);
    }
    expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]!);
    for (const part of ["net", "average"] as const) {
      const [a, b] = [await readStateDict(eager[part]), await readStateDict(compiled[part])];
      for (const [key, value] of a) {
        const other = b.get(key)!.toTypedArray();
        for (const [i, v] of value.toTypedArray().entries()) expect(other[i]).toBeCloseTo(v, 5);
      }
    }
    expect(compiled.net.bn.num_batches_tracked.value.item()).toBe(8);
    expect(compiled.average.head.bias!.value.item()).not.toBe(compiled.net.head.bias!.value.item());
  },
);

test.each(["sgd", "adamw"] as const)("%s steps on wasm leave the same bits from one thread and two", async (kind) => {
  const generator = new Generator(4);
  const [x, target] = [rand([4, 2, 6, 6], { generator }), rand([4, 1, 4, 4], { generator })];
  await computeOnWasm(async (_, device) => {
    const { net, average, step } = training(kind);
    using program = compile(step, device === undefined ? {} : { device });
    for (let i = 1; i <= 3; i++) await program(x, target, tensor(0.02), tensor(0.9), tensor(0.001), tensor(0.5));
    const [left, averaged] = [await readStateDict(net), await readStateDict(average)];
    return new Map([...left, ...[...averaged].map(([key, value]) => [`average ${key}`, value] as const)]);
  });
});
