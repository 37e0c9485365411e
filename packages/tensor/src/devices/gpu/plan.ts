// From a program to launches: what lies in memory is decided by the pass that the wasm device uses too; every such value is
// one kernel, and every buffer is given back after its last reader.
import type { Equation } from "../../bind.ts";
import { expression } from "../../passes/fuse.ts";
import type { Hoisted } from "../../passes/hoist.ts";
import type { Program } from "../../passes/program.ts";
import { isPointwise, makersOf, storedValues } from "../../passes/stored.ts";
import { updateEarly } from "../../passes/update-early.ts";
import type { Tensor } from "../../tensor.ts";
import type { Variable } from "../../variable.ts";
import { Builder, type Lowering, MAX_ARRAYS, type Step, type Transfer } from "./builder.ts";
import { computationOf, store } from "./computation.ts";
import { lowerSum } from "./lower/reduce.ts";
import { freshPlace, isWhole, type Root } from "./place.ts";
import { gpuKernels } from "./table.ts";
import { overlay, type Tuned } from "./wgsl/overlay.ts";

/** A value dear to recompute is stored if its last use is within so many equations; long expressions are cut. */
const SHORT_LIFE = 40;
const MAX_CONE = 24;

export interface Plan {
  readonly steps: readonly Step[];
  /** The steps before this one run only after a Variable has changed. */
  readonly prologue: number;
  /** For each step, the buffers that nothing behind it reads. */
  readonly frees: readonly (readonly Root[])[];
  /** Held as long as the program: uploaded once, and what the prologue makes. */
  readonly constants: ReadonlyMap<Root, Float32Array>;
  readonly kept: ReadonlySet<Root>;
  readonly inputs: readonly Transfer[];
  readonly variables: ReadonlyMap<Variable, Transfer>;
  readonly outputs: readonly Transfer[];
  /** The buffer that becomes each assigned Variable's. */
  readonly updates: ReadonlyMap<Variable, Root>;
}

/** @param tuned whether kernels in WGSL may be taken. */
export function makePlan({ before, program: given }: Hoisted, tuned: boolean): Plan {
  const main = updateEarly(given);
  const program: Program = { ...main, equations: [...before, ...main.equations] };
  const builder = new Builder();
  const declare = (spec: Tensor): Transfer => {
    const place = freshPlace(spec.shape);
    builder.define(spec, place);
    return { spec, place };
  };
  const inputs = program.inputs.map(declare);
  const variables = new Map([...program.variables].map(([v, t]) => [v, declare(t)] as const));
  const lower = loweringOf(program, new Set(before), builder, tuned);
  for (const e of before) lower(e);
  const prologue = builder.steps.length;
  for (const e of main.equations) lower(e);

  const outputs = program.outputs.map((spec) => ({ spec, place: builder.place(spec) }));
  const updates = claim(program, prologue, builder);
  const { steps, constants } = builder;
  const lifetimes = lifetimesOf(
    steps,
    prologue,
    [...outputs.map(({ place }) => place.root), ...updates.values()],
    [...inputs.map(({ place }) => place.root)],
  );
  return { steps, prologue, constants, inputs, variables, outputs, updates, ...lifetimes };
}

/** How an equation is lowered: pointwise ones where their value is stored, a sum with the expression it adds up. */
function loweringOf(
  program: Program,
  early: ReadonlySet<Equation>,
  builder: Builder,
  tuned: boolean,
): (e: Equation) => void {
  const stored = storedValues(program, {
    reduces: (e) => e.name === "sum",
    hoisted: (e) => early.has(e),
    shortLife: SHORT_LIFE,
    maxLeaves: MAX_ARRAYS,
    maxCone: MAX_CONE,
  });
  const makers = makersOf(program);
  const order = new Map(program.equations.map((e, i) => [e, i]));
  const behind = (sink: Equation): Equation[] =>
    expression(sink, (t) => (stored.has(t) ? undefined : makers.get(t))).equations.sort(
      (a, b) => order.get(a)! - order.get(b)!,
    );
  const input = (e: Equation) => computationOf(e.inputs[0]!, e.name === "sum" ? behind(e) : [], builder);
  return (e) => {
    const full = [...e.inputs, ...e.outputs].every(({ size }) => size > 0);
    if (tuned && full && e.name in overlay) {
      const row = overlay[e.name as "sum"] as Tuned<typeof e.name>; // name and row agree
      if (row(e as never, builder, input(e))) return;
    }
    if (isPointwise(e)) {
      const [y] = e.outputs as [Tensor];
      if (stored.has(y)) store("group", computationOf(y, behind(e), builder), builder.result(y), builder);
    } else if (e.name === "sum") lowerSum(e, input(e), builder);
    else (gpuKernels[e.name as "reshape"] as Lowering<typeof e.name>).lower(e as never, builder); // name and row agree
  };
}

/** Gives each assigned value a buffer that nothing else owns. */
function claim(program: Program, prologue: number, builder: Builder): Map<Variable, Root> {
  const own = new Set(builder.steps.slice(prologue).flatMap(({ writes }) => writes));
  const updates = new Map<Variable, Root>();
  for (const [v, t] of program.updates) {
    const place = builder.place(t);
    const { root } = own.has(place.root) && isWhole(place) ? place : builder.copy(place, "assign");
    own.delete(root);
    updates.set(v, root);
  }
  return updates;
}

/** When buffers are given back, and which ones live as long as the program. */
function lifetimesOf(
  steps: readonly Step[],
  prologue: number,
  used: readonly Root[],
  inputs: readonly Root[],
): Pick<Plan, "frees" | "kept"> {
  const made = new Map<Root, number>();
  const last = new Map<Root, number>();
  steps.forEach(({ reads, writes }, i) => {
    for (const root of writes) made.set(root, i);
    for (const root of [...reads, ...writes]) last.set(root, i);
  });
  const outside = new Set(used);
  const kept = new Set<Root>();
  const frees: Root[][] = steps.map(() => []);
  for (const [root, at] of last) {
    const early = made.has(root) && made.get(root)! < prologue;
    if (early && (at >= prologue || outside.has(root))) kept.add(root);
    else if (!outside.has(root) && (made.has(root) || inputs.includes(root))) frees[at]!.push(root);
  }
  return { frees, kept };
}
