// The field walk and state dicts: what is found, in which order, under which keys, and what a mismatch says.
import { silu, type Tensor, tensor, Variable, zeros } from "@orepa/tensor";
import { expect, test } from "vitest";
import { SiLU } from "./activations.ts";
import { BatchNorm2d } from "./batch-norm.ts";
import { Conv2d } from "./conv.ts";
import {
  countModules,
  initialize,
  type Mode,
  type Module,
  namedModules,
  namedParameters,
  namedVariables,
  parameters,
  toDtype,
} from "./module.ts";
import { Parameter } from "./parameter.ts";
import { loadStateDict, readStateDict, StateDictError, stateDict } from "./state-dict.ts";

class Block implements Module {
  readonly channels: readonly number[];
  readonly options = { note: new Variable(zeros([1])) };
  readonly conv: Conv2d;
  readonly act: Module;
  readonly bn: BatchNorm2d;

  constructor(channels: number, act: Module) {
    this.channels = [3, channels];
    this.conv = new Conv2d(3, channels, 1, { bias: false });
    this.act = act;
    this.bn = new BatchNorm2d(channels);
  }

  forward(x: Tensor, mode: Mode): Tensor {
    return this.act.forward(this.bn.forward(this.conv.forward(x), mode), mode);
  }
}

class Net {
  readonly model: readonly (Module | readonly Module[])[];
  readonly scale = new Parameter([2], { kind: "constant", value: 3 });

  constructor() {
    const act = new SiLU();
    this.model = [new Block(2, act), [new Conv2d(2, 2, 1), new Block(2, act)]];
  }

  forward(x: Tensor, y: Tensor): Tensor {
    return silu(x ?? y);
  }
}

test("variables are found in field order under paths of field names and list indices; plain configuration is left out", () => {
  const norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
  expect([...namedVariables(new Net()).keys()]).toEqual([
    "model.0.conv.weight",
    ...norm.map((name) => `model.0.bn.${name}`),
    "model.1.0.weight",
    "model.1.0.bias",
    "model.1.1.conv.weight",
    ...norm.map((name) => `model.1.1.bn.${name}`),
    "scale",
  ]);
});

test("parameters leave buffers out, and frozen ones are named but not trained", () => {
  const net = new Net();
  net.scale.trainable = false;
  expect(namedParameters(net).size).toBe(9);
  expect(parameters(net)).toHaveLength(8);
  expect(parameters(net)).not.toContain(net.scale);
});

test("a shared parameter has every key in the state dict but is one parameter", () => {
  const conv = new Conv2d(1, 1, 1, { bias: false });
  const net = { forward: () => undefined, a: conv, b: conv };
  expect([...stateDict(net).keys()]).toEqual(["a.weight", "b.weight"]);
  expect([...namedParameters(net).keys()]).toEqual(["a.weight"]);
});

test("countModules counts the root, lists and layers, each distinct object once", () => {
  // net, model list, two blocks, inner list, lone conv, a conv and a norm per block, one shared activation
  expect(countModules(new Net())).toBe(11);
  expect([...namedModules(new Net())].map(([path]) => path).slice(0, 4)).toEqual([
    "",
    "model",
    "model.0",
    "model.0.conv",
  ]);
});

test("initialize depends on seed and key alone", () => {
  const values = (seed: number, module: object) => {
    initialize(module, seed);
    return [...stateDict(module)].map(([key, value]) => [key, value.toArray()]);
  };
  expect(values(1, new Net())).toEqual(values(1, new Net()));
  expect(values(2, new Net())).not.toEqual(values(1, new Net()));
  const conv = () => new Conv2d(3, 2, 1);
  const [alone, accompanied] = [{ a: conv() }, { b: conv(), a: conv() }];
  initialize(alone, 5);
  initialize(accompanied, 5);
  expect(accompanied.a.weight.value.toArray()).toEqual(alone.a.weight.value.toArray());
  expect(accompanied.b.weight.value.toArray()).not.toEqual(alone.a.weight.value.toArray());
});

test("convolutions start uniform within 1/sqrt(fan_in)", () => {
  const { weight, bias } = new Conv2d(8, 16, 3, { groups: 2 });
  const bound = 1 / Math.sqrt(4 * 9);
  for (const { value } of [weight, bias!]) {
    const values = [...value.toTypedArray()].map(Math.abs);
    expect(Math.max(...values)).toBeLessThanOrEqual(bound);
    expect(Math.max(...values)).toBeGreaterThan(0.7 * bound);
  }
});

test("a state dict read from one module makes another equal to it", async () => {
  const [a, b] = [new Net(), new Net()];
  initialize(a, 3);
  toDtype(b, "float64");
  const report = loadStateDict(b, await readStateDict(a));
  expect(report.loaded).toHaveLength(stateDict(a).size);
  expect(b.scale.dtype).toBe("float64");
  for (const [key, value] of stateDict(a)) expect(stateDict(b).get(key)!.toArray()).toEqual(value.toArray());
});

test("a strict load refuses other keys or shapes, names the first, and changes nothing", () => {
  const conv = new Conv2d(1, 2, 1);
  const before = conv.weight.value;
  const load = (entries: Record<string, Tensor>) => () => loadStateDict(conv, new Map(Object.entries(entries)));
  const weight = zeros([2, 1, 1, 1]);
  expect(load({ weight })).toThrow("loadStateDict: bias: expected shape [2], got none");
  expect(load({ weight, bias: zeros([3]) })).toThrow("loadStateDict: bias: expected shape [2], got shape [3]");
  expect(load({ weight, bias: zeros([2]), gain: zeros([1]) })).toThrow("gain: expected no such entry, got shape [1]");
  expect(load({ gain: zeros([1]) })).toThrow(
    "loadStateDict: weight: expected shape [2, 1, 1, 1], got none (and 2 more that differ)",
  );
  expect(load({ weight })).toThrow(StateDictError);
  expect(conv.weight.value).toBe(before);
});

test("a load that is not strict takes what fits and reports the rest", () => {
  const conv = new Conv2d(1, 2, 1);
  const state = new Map([
    ["weight", zeros([3, 1, 1, 1])],
    ["bias", tensor([4, 5])],
    ["gain", zeros([1])],
  ]);
  expect(loadStateDict(conv, state, { strict: false })).toEqual({
    loaded: ["bias"],
    missing: [],
    unexpected: ["gain"],
    mismatched: ["weight"],
  });
  expect(conv.bias!.value.toArray()).toEqual([4, 5]);
});

test("toDtype leaves counters whole", () => {
  const bn = toDtype(new BatchNorm2d(2), "float64");
  expect(bn.num_batches_tracked.dtype).toBe("int32");
  expect(bn.running_var.dtype).toBe("float64");
});
