// The reference device: equation by equation on the reference kernels, values dropped after their last use.
import type { Equation } from "../../bind.ts";
import { type Allocate, allocate } from "../../dtype.ts";
import { lastUses } from "../../passes/liveness.ts";
import { type Primitive, primitives } from "../../primitives/table.ts";
import { type Concrete, contiguous, fromData, type Tensor } from "../../tensor.ts";
import type { Variable } from "../../variable.ts";
import type { Device, Executable } from "../device.ts";
import { ArrayPool } from "./pool.ts";

export const cpu: Device = {
  name: "cpu",
  load({ before, program }): Executable {
    const dying = lastUses(program);
    let pool = new ArrayPool();
    let hoisted = new Map<Tensor, Concrete>();
    let versions: readonly number[] = [];
    const constants = [...program.variables].filter(([v]) => !program.updates.has(v));

    /** Values of hoisted equations, made anew if a Variable they may depend on has changed. */
    const prepare = (): void => {
      const now = constants.map(([v]) => v.version);
      if (versions.length === now.length && versions.every((n, i) => n === now[i]) && hoisted.size) return;
      hoisted = new Map(constants.map(([v, symbol]) => [symbol, home(v)]));
      for (const e of before) evaluate(e, hoisted, allocate);
      versions = now;
    };
    return {
      async run(inputs) {
        prepare();
        const values = new Map<Tensor, Concrete>(hoisted);
        program.inputs.forEach((symbol, i) => {
          values.set(symbol, inputs[i]!);
        });
        for (const [variable, symbol] of program.variables) values.set(symbol, home(variable));
        program.equations.forEach((e, i) => {
          evaluate(e, values, pool.allocate);
          for (const o of e.outputs) pool.retain(values.get(o)!);
          for (const t of dying[i]!) {
            pool.release(values.get(t)!);
            values.delete(t);
          }
        });
        const look = (t: Tensor): Concrete => (t.view ? (t as Concrete) : values.get(t)!);
        const results = program.outputs.map(look);
        const next = [...program.updates].map(([variable, t]) => [variable, owned(look(t))] as const);
        for (const [variable, value] of next) variable.assign(value);
        pool.forget();
        return results;
      },
      dispose() {
        pool = new ArrayPool();
        hoisted = new Map();
        versions = [];
      },
    };
  },
};

// A Variable always holds data outside of a trace.
const home = (variable: Variable): Concrete => variable.value as Concrete;

/** A Variable keeps its value for long: it must not hold on to a larger buffer through a view. */
const owned = (t: Concrete): Concrete =>
  t.view.data.length === t.size ? t : fromData(contiguous(t).slice(), t.shape, t.dtype);

function evaluate(e: Equation, values: Map<Tensor, Concrete>, memory: Allocate): void {
  const inputs = e.inputs.map((t) => (t.view ? (t as Concrete) : values.get(t)!));
  // name and params come from one equation, so they fit together
  const results = (primitives[e.name] as unknown as Primitive<unknown>).evaluate(inputs, e.params, e.outputs, memory);
  e.outputs.forEach((o, i) => {
    values.set(o, results[i] as Concrete);
  });
}
