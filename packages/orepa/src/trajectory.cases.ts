// The recorded trainings of fixtures/orepa/traj_*.safetensors: five steps of SGD, replayed in either precision and on any device.
import { readFileSync } from "node:fs";
import {
  loadStateDict,
  type Module,
  namedParameters,
  namedVariables,
  readSafetensors,
  readVariables,
  toDtype,
  valueAndGrad,
} from "@orepa/autograd";
import {
  add,
  cast,
  compile,
  gather,
  logSoftmax,
  mean,
  mul,
  neg,
  reshape,
  slice,
  sub,
  type Tensor,
  Variable,
  zeros,
  zerosLike,
} from "@orepa/tensor";
import { expect } from "vitest";
import type { Computation } from "../../autograd/src/testing/wasm-devices.cases.ts";
import { expectClose } from "./close.cases.ts";

/** Five steps multiply what the rounding of the reference to float32 leaves open (1e-4 by its own account). */
const tolerance = 1e-5;
/**
 * A file's `step0.grad.*` hold the gradients of the last step, not of the first: in traj_orepa they agree with it to 1e-5, while at the
 * first step the 1x1 of the frequency prior has no gradient (its scale starts at 0) and theirs is not 0.
 */
const lastStep = 4;

/** A recorded training. */
interface Trajectory {
  /** The layers of the network, in words. */
  readonly layers: readonly string[];
  readonly momentum: number;
  /** Learning rate and weight decay of every parameter. */
  readonly rules: Readonly<Record<string, readonly [rate: number, decay: number]>>;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** Reads `fixtures/orepa/<name>.safetensors`. */
export function readTrajectory(name: string): Trajectory {
  const bytes = readFileSync(new URL(`../../../fixtures/orepa/${name}.safetensors`, import.meta.url));
  const { tensors, metadata } = readSafetensors(new Uint8Array(bytes));
  const { config } = metadata;
  return { ...(JSON.parse(config!) as Omit<Trajectory, "tensors">), tensors };
}

/** Trains a network as recorded; results have the names that they are stored under. */
export function followTrajectory({ tensors, momentum, rules }: Trajectory, createModel: () => Module): Computation {
  return async (dtype, device) => {
    const model = toDtype(createModel(), dtype);
    const variables = namedVariables(model);
    const tracked = [...variables.keys()].filter((key) => key.endsWith("num_batches_tracked"));
    const counters = tracked.map((key) => [key, zeros([])] as const);
    loadStateDict(model, new Map([...part(tensors, "init."), ...part(tensors, "init_buffer."), ...counters]));
    const parameters = namedParameters(model);
    const buffers = new Map([...parameters].map(([key, p]) => [key, new Variable(zerosLike(p.value))]));
    const labels = reshape(cast(tensors.get("labels")!, "int32"), [-1, 1]);

    const step = (x: Tensor): Record<string, Tensor> => {
      let logits: Tensor | undefined;
      const { value: loss, grads } = valueAndGrad(() => {
        logits = model.forward(x, "train");
        return neg(mean(gather(logSoftmax(logits, 1), 1, labels)));
      }, parameters.values());
      const results: Record<string, Tensor> = { logits: logits!, loss: reshape(loss, [1]) };
      for (const [key, parameter] of parameters) {
        const [rate, decay] = rules[key]!;
        const gradient = grads.get(parameter)!;
        const velocity = buffers.get(key)!;
        const next = add(mul(velocity.value, momentum), add(gradient, mul(parameter.value, decay)));
        parameter.assign(sub(parameter.value, mul(next, rate)));
        velocity.assign(next);
        results[`grad.${key}`] = gradient;
      }
      return results;
    };
    const evaluate = (x: Tensor) => ({ eval_logits: model.forward(x, "eval") });
    const [train, look] =
      device === undefined ? [step, evaluate] : [compile(step, { device }), compile(evaluate, { device })];

    const input = cast(tensors.get("input")!, dtype);
    const results = new Map<string, Tensor>();
    for (let i = 0; i <= lastStep; i++) {
      for (const [key, value] of Object.entries(await train(input))) {
        if (!key.startsWith("grad.")) results.set(`step${i}.${key}`, value);
        else if (i === lastStep) results.set(`step0.${key}`, value);
      }
      for (const [key, value] of await readVariables(parameters))
        if (key.endsWith("vector")) results.set(`step${i}.${key}`, value);
    }
    for (const [key, value] of await readVariables(variables))
      results.set(`${parameters.has(key) ? "final" : "final_buffer"}.${key}`, value);
    for (const [key, value] of await readVariables(buffers)) results.set(`final_momentum.${key}`, value);
    for (const [key, value] of Object.entries(await look(input))) results.set(key, value);
    for (const program of [train, look]) if ("dispose" in program) program.dispose();
    return results;
  };
}

/** Compares float64 results with all that was recorded. */
export function expectTrajectory({ tensors, rules }: Trajectory, results: ReadonlyMap<string, Tensor>): void {
  expect([...part(results, "final.").keys()].sort()).toEqual(Object.keys(rules).sort());
  for (const [key, expected] of tensors) {
    if (/^(init|init_buffer)\.|^(input|labels)$/.test(key)) continue;
    const found = results.get(key);
    expect(found, key).toBeDefined();
    // A loss is stored as [cross-entropy, cross-entropy with a penalty].
    const wanted = key.endsWith(".loss") ? slice(expected, 0, 0, 1) : expected;
    expectClose(key, found!, cast(wanted, "float64"), tolerance);
  }
}

/** The entries whose key starts with a prefix, without it. */
const part = (values: ReadonlyMap<string, Tensor>, prefix: string) =>
  new Map([...values].flatMap(([key, t]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), t]] : [])));
