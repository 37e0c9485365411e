// Five steps of SGD on a small classifier with Orepa blocks, against reference numbers: the stem's layers are Orepa kernels too.
import { BatchNorm2d, Linear, type Mode, type Module, Parameter } from "@orepa/autograd";
import { add, conv2d, matmul, mean, mul, permute, relu, reshape, split, type Tensor } from "@orepa/tensor";
import { expect, it } from "vitest";
import { expectSameComputation } from "../../autograd/src/testing/wasm-devices.cases.ts";
import { Orepa } from "./orepa.ts";
import { expectTrajectory, followTrajectory, readTrajectory } from "./trajectory.cases.ts";

const norm = { eps: 1e-5, momentum: 0.1 };
const linear = { norm: "none", activation: false } as const;

/** Three linear 3x3 layers as one 7x7 kernel, stride 2; each further layer correlates the kernel so far. */
class Stem implements Module {
  readonly weight0 = new Orepa(3, 6, linear);
  readonly weight1 = new Orepa(6, 6, linear);
  readonly weight2 = new Orepa(6, 6, linear);
  readonly bn = new BatchNorm2d(6, norm);

  forward(x: Tensor, mode: Mode): Tensor {
    const swap = (t: Tensor) => permute(t, [1, 0, 2, 3]);
    const kernel = [this.weight1, this.weight2].reduce(
      (k, layer) => swap(conv2d(swap(k), layer.kernel(), { padding: 2 })),
      this.weight0.kernel(),
    );
    return relu(this.bn.forward(conv2d(x, kernel, { stride: 2, padding: 3 }), mode));
  }
}

/** K = v0 W + v1 W2 W1. */
class Orepa1x1 implements Module {
  readonly weight_or1x1_origin = new Parameter([8, 8, 1, 1], { kind: "constant", value: 0 });
  readonly weight_or1x1_l2i_conv1 = new Parameter([8, 8, 1, 1], { kind: "constant", value: 0 });
  readonly weight_or1x1_l2i_conv2 = new Parameter([8, 8, 1, 1], { kind: "constant", value: 0 });
  readonly vector = new Parameter([2, 8], { kind: "constant", value: 1 });
  readonly bn = new BatchNorm2d(8, norm);

  forward(x: Tensor, mode: Mode): Tensor {
    const matrix = (p: Parameter) => reshape(p.value, [8, 8]);
    const [v0, v1] = split(this.vector.value, 1, 0).map((v) => reshape(v, [8, 1])) as [Tensor, Tensor];
    const product = matmul(matrix(this.weight_or1x1_l2i_conv2), matrix(this.weight_or1x1_l2i_conv1));
    const kernel = add(mul(v0, matrix(this.weight_or1x1_origin)), mul(v1, product));
    return this.bn.forward(conv2d(x, reshape(kernel, [8, 8, 1, 1])), mode);
  }
}

class Classifier implements Module {
  readonly blocks = [
    new Stem(),
    new Orepa(6, 8, { ...norm, activation: { forward: relu } }),
    new Orepa(8, 8, { ...norm, stride: 2, groups: 2, activation: { forward: relu } }),
    new Orepa1x1(),
  ] as const;
  readonly linear = new Linear(8, 4);

  forward(x: Tensor, mode: Mode): Tensor {
    const y = this.blocks.reduce<Tensor>((t, block) => block.forward(t, mode), x);
    return this.linear.forward(mean(y, [2, 3]));
  }
}

const trajectory = readTrajectory("traj_orepa");
const createModel = () => new Classifier();

it("follows the reference through five steps of SGD with momentum and weight decay", async () => {
  expect(trajectory.layers).toEqual([
    "OREPA_LargeConv(3,6,k7,s2,p3)+relu",
    "OREPA(6,8,k3,s1,p1)+relu",
    "OREPA(8,8,k3,s2,p1,groups2)+relu",
    "OREPA_1x1(8,8)",
    "global mean over H,W",
    "Linear(8,4)",
  ]);
  expectTrajectory(trajectory, await followTrajectory(trajectory, createModel)("float64"));
});

it("follows it on wasm as closely as float32 does, the same bits from one thread and two", () =>
  expectSameComputation(followTrajectory(trajectory, createModel)));
