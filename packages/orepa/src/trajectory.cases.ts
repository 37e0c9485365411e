// The recorded trainings of fixtures/orepa/traj_*.safetensors: five steps of SGD, replayed in either precision and on any device.
import { type Module, namedParameters, namedVariables, readVariables, toDtype, valueAndGrad } from "@orepa/autograd";
import {
  add,
  cast,
  compile,
  concat,
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
  zerosLike,
} from "@orepa/tensor";
import { expect } from "vitest";
import type { Computation } from "../../autograd/src/testing/wasm-devices.cases.ts";
import { expectClose } from "./close.cases.ts";
import { part, readReference } from "./published.cases.ts";

/** Five steps multiply what the rounding of the reference to float32 leaves open (1e-4 by its own account). */
const tolerance = 1e-5;
/**
 * A file's `step0.grad.*` hold the gradients of the last step, not of the first: in traj_orepa they agree with it to 1e-5, while at the
 * first step the 1x1 of the frequency prior has no gradient (its scale starts at 0) and theirs is not 0.
 */
const lastStep = 4;

/** A recorded training. */
interface Trajectory {
  readonly momentum: number;
  readonly weight_decay?: number;
  /** Whether RepVGG's own decay is part of the loss. */
  readonly custom_l2?: boolean;
  /** Learning rate and weight decay of every parameter. */
  readonly rules: Readonly<Record<string, readonly [rate: number, decay: number]>>;
  /** What was recorded, in float64. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** Reads a file of the folder of reference data. */
export function readTrajectory(file: string): Trajectory {
  const { tensors, metadata } = readReference(file);
  const { config } = metadata as { config: string };
  return { ...(JSON.parse(config) as Omit<Trajectory, "tensors">), tensors };
}

/** A network that is trained as recorded. */
export interface Trainee {
  /** With the first values, in float64. */
  readonly model: Module;
  /** The published names of what has one, by ours. */
  readonly names: ReadonlyMap<string, string>;
  /** What the loss has beside the cross-entropy. */
  readonly penalty?: () => Tensor;
}

/** Trains a network as recorded; results have the names that they are stored under. */
export function followTrajectory({ tensors, momentum, rules }: Trajectory, create: () => Trainee): Computation {
  return async (dtype, device) => {
    const { model, names, penalty } = create();
    toDtype(model, dtype);
    const parameters = new Map([...namedParameters(model)].map(([key, p]) => [names.get(key)!, p]));
    const buffers = new Map([...parameters].map(([key, p]) => [key, new Variable(zerosLike(p.value))]));
    const labels = reshape(cast(tensors.get("labels")!, "int32"), [-1, 1]);

    const step = (x: Tensor): Record<string, Tensor> => {
      let [logits, crossEntropy]: Tensor[] = [];
      const { value: total, grads } = valueAndGrad(() => {
        logits = model.forward(x, "train");
        crossEntropy = neg(mean(gather(logSoftmax(logits, 1), 1, labels)));
        return penalty ? add(crossEntropy, penalty()) : crossEntropy;
      }, parameters.values());
      const loss = concat([reshape(crossEntropy!, [1]), reshape(total, [1])]);
      const results: Record<string, Tensor> = { logits: logits!, loss };
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
    for (const [key, value] of await readVariables(parameters)) results.set(`final.${key}`, value);
    for (const [key, value] of await readVariables(buffers)) results.set(`final_momentum.${key}`, value);
    for (const [key, variable] of namedVariables(model))
      if (/running_(mean|var)$/.test(key)) results.set(`final_buffer.${names.get(key)}`, await variable.read());
    for (const [key, value] of Object.entries(await look(input))) results.set(key, value);
    for (const program of [train, look]) if ("dispose" in program) program.dispose();
    return results;
  };
}

/** Compares float64 results with what was recorded. */
export function expectTrajectory({ tensors, rules }: Trajectory, results: ReadonlyMap<string, Tensor>): void {
  expect([...part(results, "final.").keys()].sort()).toEqual(Object.keys(rules).sort());
  const statistics = [...tensors.keys()].filter((key) => /^final_buffer.*running_(mean|var)$/.test(key));
  expect([...results.keys()]).toEqual(expect.arrayContaining([...statistics, "eval_logits"]));
  for (const [key, value] of results) {
    const stored = tensors.get(key)!;
    const [rows] = value.shape;
    // A sixth row of scales belongs to no branch.
    const expected = key.endsWith("vector") && rows !== stored.shape[0] ? slice(stored, 0, 0, rows) : stored;
    expectClose(key, value, expected, tolerance);
  }
}
