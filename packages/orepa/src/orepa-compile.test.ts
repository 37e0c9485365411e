// The OREPA block inside compiled programs: the same numbers as eagerly, and no merging where nothing has changed.
import { type Module, namedParameters, type Parameter, toDtype, valueAndGrad } from "@orepa/autograd";
import { add, cast, compile, Generator, mul, randn, sub, sum, type Tensor } from "@orepa/tensor";
import { expect, it } from "vitest";
import { wasmDevices } from "../../autograd/src/testing/wasm-devices.cases.ts";
import { expectClose } from "./close.cases.ts";
import { toOffline } from "./offline.ts";
import { Orepa } from "./orepa.ts";

const noise = (shape: readonly number[], seed: number) =>
  randn(shape, { generator: new Generator(seed), dtype: "float64" });
const make = () => toDtype(new Orepa(4, 6, { groups: 2, stride: 2 }), "float64");
const x = noise([2, 4, 8, 8], 1);
const weights = noise([2, 6, 4, 4], 2);
const rounding = 1e-12;

it("trains in a compiled program as it does eagerly", async () => {
  const [compiled, eager] = [make(), make()];
  const gradients = (block: Orepa, input: Tensor) => {
    const parameters = namedParameters(block);
    const { value, grads } = valueAndGrad(() => sum(mul(block.forward(input, "train"), weights)), parameters.values());
    return { loss: value, ...Object.fromEntries([...parameters].map(([key, p]) => [key, grads.get(p)!])) };
  };
  using step = compile((input) => gradients(compiled, input));
  const actual = await step(x);
  for (const [key, expected] of Object.entries(gradients(eager, x)))
    expectClose(key, Reflect.get(actual, key), expected, rounding);
  expectClose("running_var", compiled.bn!.running_var.value, eager.bn!.running_var.value, rounding);
});

it("merges once in eval mode, and again when a parameter has changed", async () => {
  const block = make();
  using predict = compile((input) => block.forward(input, "eval"));
  expectClose("first", await predict(x), block.forward(x, "eval"), rounding);
  const { equations, hoisted } = predict.report();
  expect(hoisted.map(({ name }) => name)).toContain("matmul");
  expect(equations.filter(({ name }) => name === "conv2d")).toHaveLength(1);
  expect(equations.map(({ name }) => name)).not.toContain("matmul");

  const { vector } = block;
  vector!.assign(add(vector!.value, 1));
  expectClose("changed", await predict(x), block.forward(x, "eval"), rounding);
});

it.each(wasmDevices)("merges anew on $name when a parameter has changed, and computes the same", async ({ device }) => {
  const block = toDtype(make(), "float32");
  const input = cast(x, "float32");
  using predict = compile((t) => block.forward(t, "eval"), { device });
  // Sums of at most 4 channels, 9 taps and 6 branches.
  const rounding = 4 * 9 * 6 * 2 ** -24;
  expectClose("first", await predict(input), block.forward(input, "eval"), rounding);
  const { vector } = block;
  vector!.assign(add(vector!.value, 1));
  expectClose("changed", await predict(input), block.forward(input, "eval"), rounding);
  expectClose("again", await predict(input), block.forward(input, "eval"), rounding);
});

/** What the published code keeps for the backward pass beside a plain block, in kernels (measured). */
const publishedKernels = 7.1;

it("takes the memory of a plain convolution and some kernels to train, a fraction of what the branches on feature maps take", async () => {
  const input = randn([4, 8, 16, 16], { generator: new Generator(3) });
  const peak = async (module: Module, parameters: readonly Parameter[]) => {
    using step = compile((x) => {
      const { value, grads } = valueAndGrad(() => sum(mul(module.forward(x, "train"), x)), parameters);
      for (const [parameter, gradient] of grads) parameter.assign(sub(parameter.value, mul(gradient, 1e-3)));
      return value;
    });
    await step(input);
    return step.report().peakBytes;
  };
  const [plain, block] = [new Orepa(8, 8, { branches: ["origin"], scale: "none" }), new Orepa(8, 8)];
  const parameters = [...namedParameters(block).values()];
  const reference = await peak(plain, [...namedParameters(plain).values()]);
  const online = await peak(block, parameters);
  const offline = await peak(toOffline(block), parameters);
  const kernelBytes = block.kernel().size * Float32Array.BYTES_PER_ELEMENT;
  expect(online - reference).toBeLessThan(publishedKernels * kernelBytes);
  expect(offline).toBeGreaterThan(3 * online);
});
