// Reading reference numbers and comparing with them, for tests: a value must lie within what a float32 run of the reference
// differs by (tenfold).

import { readFileSync } from "node:fs";
import {
  fixtureWeights,
  loadStateDict,
  type Mode,
  namedVariables,
  readSafetensors,
  readStateDict,
  toDtype,
} from "@orepa/autograd";
import { cast, fromData, type Tensor } from "@orepa/tensor";
import type { Subject } from "../../../autograd/src/testing/wasm-devices.cases.ts";
import type { DetectModel } from "./detect-model.ts";

const folder = new URL("../../../../fixtures/", import.meta.url);

/** [largest |float32 run - float64 run|, largest |value|] of a reference tensor. */
export type Deviation = readonly [deviation: number, magnitude: number];

export const readJson = <T>(file: string): T => JSON.parse(readFileSync(new URL(file, folder), "utf8")) as T;

/** The tensors of a file, in float64. */
export function readTensors(file: string): Map<string, Tensor> {
  const { tensors } = readSafetensors(new Uint8Array(readFileSync(new URL(file, folder))));
  return new Map([...tensors].map(([name, value]) => [name, cast(value, "float64")]));
}

/** Casts a module to float64 and gives every Variable the value that the weight rule draws for `prefix` + its key. */
export function withFixtureWeights<M extends object>(module: M, prefix = ""): M {
  toDtype(module, "float64");
  const state = [...namedVariables(module)].map(([key, { shape, value }]): [string, Tensor] => {
    const drawn = fixtureWeights(prefix + key, shape);
    return [key, drawn ? fromData(drawn, shape) : value];
  });
  loadStateDict(module, new Map(state));
  return module;
}

/** A forward pass of a network, with the names under which the forward-*.safetensors store its results, without the size of the image. */
export function forwardSubject(createModel: () => DetectModel, input: Tensor, mode: Mode): Subject {
  return (dtype) => {
    const model = toDtype(createModel(), dtype);
    const run = (x: Tensor): Record<string, Tensor> => {
      const results: Record<string, Tensor> = {};
      const { maps, decoded } = model.forward(x, mode, (index, output) => {
        if (mode === "eval") results[`eval.layer.${index}`] = output;
      });
      for (const [level, map] of maps.entries()) results[`${mode}.feat.${level}`] = map;
      return decoded ? { ...results, [`${mode}.output`]: decoded } : results;
    };
    const after = async () =>
      new Map([...(await readStateDict(model))].map(([key, value]) => [`${mode}.after.${key}`, value]));
    return { inputs: [cast(input, dtype)], run: (x) => run(x!), after };
  };
}

/** Throws with the worst element unless all of `actual` is within 10 deviations plus 1e-6 of the magnitude. */
export function expectWithin(what: string, actual: Tensor, expected: Tensor, [deviation, magnitude]: Deviation): void {
  if (actual.shape.join() !== expected.shape.join())
    throw new Error(`${what}: expected shape [${expected.shape}], got [${actual.shape}]`);
  const [a, e] = [actual.toTypedArray(), expected.toTypedArray()];
  const tolerance = 10 * deviation + 1e-6 * magnitude;
  const differences = Array.from(e, (value, i) => Math.abs(value - a[i]!));
  // Math.max keeps NaN
  const largest = differences.reduce((x, y) => Math.max(x, y), 0);
  const worst = differences.findIndex((difference) => Object.is(difference, largest));
  if (!(largest <= tolerance))
    throw new Error(`${what}: element ${worst}: expected ${e[worst]}, got ${a[worst]}, tolerance ${tolerance}`);
}
