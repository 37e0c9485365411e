// The OREPA block against reference numbers: outputs, merged kernels, gradients, statistics, deployed forms, in float64.
import { readdirSync, readFileSync } from "node:fs";
import {
  drawFixture,
  fixtureWeights,
  loadStateDict,
  namedParameters,
  namedVariables,
  ReLU,
  readSafetensors,
  readStateDict,
  SiLU,
  stateDict,
  toDtype,
  valueAndGrad,
} from "@orepa/autograd";
import { cast, mul, reshape, sum, type Tensor, tensor, zeros } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { expectParity } from "../../autograd/src/testing/wasm-devices.cases.ts";
import { expectClose } from "./close.cases.ts";
import { deploy } from "./deploy.ts";
import { toOffline } from "./offline.ts";
import { Orepa, type OrepaOptions } from "./orepa.ts";

/** Reference values were rounded to float32 once; a gradient sums some hundreds of such products. */
const tolerance = 1e-6;
const folder = new URL("../../../fixtures/", import.meta.url);
const read = (path: string) => {
  const { tensors, metadata } = readSafetensors(new Uint8Array(readFileSync(new URL(path, folder))));
  return { tensors: new Map([...tensors].map(([key, t]) => [key, cast(t, "float64")])), metadata };
};
/** The entries whose key starts with a prefix, without it. */
const part = (tensors: ReadonlyMap<string, Tensor>, prefix: string) =>
  new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, t]) => [key.slice(prefix.length), t]));
const double = (inChannels: number, outChannels: number, options: OrepaOptions) =>
  toDtype(new Orepa(inChannels, outChannels, options), "float64");

interface Config {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly kernel_size: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly groups: number;
  readonly internal_channels_1x1_3x3?: number;
  readonly nonlinear: "relu" | null;
}

/** The block of a case. */
const blockOf = (c: Config) =>
  double(c.in_channels, c.out_channels, {
    kernelSize: c.kernel_size,
    stride: c.stride,
    padding: c.padding,
    dilation: c.dilation,
    groups: c.groups,
    ...(c.internal_channels_1x1_3x3 ? { internal: c.internal_channels_1x1_3x3 } : {}),
    eps: 1e-5,
    momentum: 0.1,
    activation: c.nonlinear ? new ReLU() : false,
  });

/** Forward in both modes and as it is deployed, the kernel, and the gradients for input and parameters. */
const everything = (block: Orepa, seed: Tensor, deployed = deploy(block)) => ({
  evaluate: (x: Tensor) => ({ output: block.forward(x, "eval"), kernel: block.kernel() }),
  deployed: (x: Tensor) => ({ output: deployed.forward(x, "eval") }),
  train: (x: Tensor) => {
    const parameters = namedParameters(block);
    let output: Tensor | undefined;
    const { value, grads } = valueAndGrad(() => {
      output = block.forward(x, "train");
      return sum(mul(output, cast(seed, output.dtype)));
    }, [x, ...parameters.values()]);
    const gradients = [...parameters].map(([key, parameter]) => [`grad.${key}`, grads.get(parameter)!] as const);
    return { output: output!, loss: value, "grad.input": grads.get(x)!, ...Object.fromEntries(gradients) };
  },
});

interface Occasion {
  readonly make: (dtype: "float32" | "float64") => Orepa;
  readonly input: Tensor;
  readonly seed: Tensor;
}

/** Parity of everything on wasm, each part in a program of its own. */
async function expectAllOnWasm({ make, input, seed }: Occasion): Promise<void> {
  for (const which of ["evaluate", "deployed", "train"] as const)
    await expectParity((dtype) => {
      const block = make(dtype);
      const run = everything(block, seed)[which];
      return { inputs: [cast(input, dtype)], run: (x) => run(x!), after: () => readStateDict(block) };
    });
}

describe("an Orepa block gives the reference numbers", () => {
  const names = readdirSync(new URL("orepa/", folder)).filter((name) => name.startsWith("orepa_"));
  it("finds the twelve cases", () => expect(names).toHaveLength(12));

  it.each(names)("%s", (name) => {
    const { tensors, metadata } = read(`orepa/${name}`);
    const { config } = metadata;
    const block = blockOf(JSON.parse(config!) as Config);
    const get = (key: string) => tensors.get(key)!;
    const check = (what: string, actual: Tensor, key = what) => expectClose(what, actual, get(key), tolerance);

    const buffers = part(tensors, "buffer.");
    for (const key of ["weight_orepa_avg_avg", "id_tensor", "weight_orepa_prior"])
      expectClose(`own ${key}`, stateDict(block).get(key)!, buffers.get(key)!, tolerance);
    loadStateDict(block, new Map([...part(tensors, "param."), ...buffers, ["bn.num_batches_tracked", zeros([])]]));

    const input = get("input");
    check("eval_before", block.forward(input, "eval"));
    check("offline eval", toOffline(block).forward(input, "eval"), "eval_before");
    check("kernel", block.kernel());

    const parameters = namedParameters(block);
    let output: Tensor | undefined;
    const { value, grads } = valueAndGrad(() => {
      output = block.forward(input, "train");
      return sum(mul(output, get("R")));
    }, [input, ...parameters.values()]);
    check("output", output!);
    expect(Math.abs(value.item() - get("loss").item())).toBeLessThan(tolerance * Math.sqrt(output!.size));
    check("grad.input", grads.get(input)!);
    for (const [key, parameter] of parameters) check(`grad.${key}`, grads.get(parameter)!);
    for (const [key, expected] of part(tensors, "after."))
      expectClose(key, namedVariables(block).get(key)!.value, expected, tolerance);

    check("eval_output", block.forward(input, "eval"));
    const { weight, bias } = block.merge();
    check("deploy.weight", weight);
    check("deploy.bias", bias);
    const deployed = deploy(block);
    check("deploy_output", deployed.forward(input, "eval"));
    expect(deployed.deviation).toBeLessThan(1e-13);
  });
});

describe("an Orepa block with norms of YOLO11 gives the reference numbers", () => {
  const { tensors } = read("layers.safetensors");
  const make = (name: string, c1: number, c2: number, options: OrepaOptions) => {
    const block = double(c1, c2, { ...options, activation: new SiLU() });
    for (const [key, variable] of namedVariables(block)) {
      const values = fixtureWeights(`${name}/${key}`, variable.shape);
      if (values) variable.assign(cast(tensor(values, { shape: variable.shape }), variable.dtype));
    }
    return block;
  };
  const cases = [
    { name: "orepa_s1", c1: 4, c2: 6, options: {} },
    { name: "orepa_s2", c1: 8, c2: 8, options: { stride: 2 } },
    { name: "orepa_g2", c1: 8, c2: 12, options: { groups: 2 } },
  ] as const;

  it.each(cases)("$name", ({ name, c1, c2, options }) => {
    const block = make(name, c1, c2, options);
    const reference = part(tensors, `${name}.`);
    const get = (key: string) => reference.get(key)!;
    const check = (what: string, actual: Tensor, key = what) => expectClose(what, actual, get(key), tolerance);
    const input = get("input.0");
    expectClose(
      "drawn input",
      tensor(drawFixture(`${name}/input.0`, input.shape, -1, 1), { shape: input.shape }),
      input,
      0,
    );

    const evaluated = everything(block, get("r.train.output")).evaluate(input);
    check("eval.output", evaluated.output);
    check("merged_kernel", evaluated.kernel);
    const { weight, bias } = block.merge();
    check("deploy_weight", weight);
    check("deploy_bias", bias);

    const { output, loss, ...gradients } = everything(block, get("r.train.output")).train(input);
    check("train.output", output);
    check("train.loss", reshape(loss, [1]));
    for (const [key, gradient] of Object.entries(gradients))
      check(key, gradient, key === "grad.input" ? "grad.input.0" : key);
    for (const [key, expected] of part(reference, "after."))
      expectClose(key, namedVariables(block).get(key)!.value, expected, tolerance);
  });

  it.each(cases)("$name, on wasm as closely as float32 does", ({ name, c1, c2, options }) =>
    expectAllOnWasm({
      make: (dtype) => toDtype(make(name, c1, c2, options), dtype),
      input: tensors.get(`${name}.input.0`)!,
      seed: tensors.get(`${name}.r.train.output`)!,
    }),
  );
});
