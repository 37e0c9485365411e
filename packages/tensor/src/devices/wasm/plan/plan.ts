// From a program to a plan: passes that decide order, loops and places, then the lowering of every item, then addresses.
import type { Equation } from "../../../bind.ts";
import { fuse, type Group, type Item, isGroup } from "../../../passes/fuse.ts";
import type { Hoisted } from "../../../passes/hoist.ts";
import type { Program } from "../../../passes/program.ts";
import { stillValues } from "../../../passes/still.ts";
import { updateEarly } from "../../../passes/update-early.ts";
import { showShape } from "../../../shape.ts";
import type { Tensor, TensorSpec } from "../../../tensor.ts";
import type { Variable } from "../../../variable.ts";
import { lowerGroup } from "../lower/group.ts";
import type { HostPlan, Transfer } from "../lower/host.ts";
import { type Constant, type Draft, type Persistent, Planner } from "../lower/planner.ts";
import { lowerEquation } from "../lower/table.ts";
import { FusedKernels } from "../pointwise/library.ts";
import type { ThreadProgram } from "../threads/wire.ts";
import { planArena } from "./arena.ts";
import { barriersBefore, type Range } from "./barriers.ts";
import { borders } from "./borders.ts";
import { epilogues } from "./epilogues.ts";
import { basesOf, inPlaceUpdates } from "./in-place.ts";
import { type Layouts, layouts } from "./layout.ts";
import { placeMembers } from "./members.ts";
import { addressOf, type Place, type Storage } from "./place.ts";
import { turnedProducts } from "./turned.ts";

export interface Plan extends ThreadProgram {
  /** The steps before this one run only after a Variable has changed. */
  readonly prologue: number;
  readonly inputs: readonly Transfer[];
  readonly outputs: readonly Transfer[];
  readonly hosts: readonly HostPlan[];
  readonly constants: readonly Constant[];
  /** Bytes that live during a run only. */
  readonly arenaBytes: number;
  /** What each step comes from. */
  readonly origins: readonly Origin[];
  /** Equations of each run whose operands or results are copied on the way, packed weights included. */
  readonly copies: readonly string[];
}
interface Origin {
  /** A primitive's name, or "group". */
  readonly name: string;
  /** Shapes, and what a group computes. */
  readonly about: string;
}
export interface PlanMemory {
  /** Bytes that live as long as the program. */
  readonly persistent: Persistent;
  /** Byte address of a Variable's value, row-major. */
  variable(v: Variable): number;
  /** Makes room for the arena and says where it starts. */
  openArena(bytes: number): number;
}

export function makePlan({ before, program: given }: Hoisted, memory: PlanMemory, shared: boolean): Plan {
  const main = updateEarly(given);
  const raw: Program = { ...main, equations: [...before, ...main.equations] };
  const { program, memberOf } = placeMembers(raw, layouts(raw));
  const layout = layouts(program);
  const hoistedValues = new Set(before.flatMap((e) => e.outputs));
  const hoisted = (e: Equation) => e.outputs.every((t) => hoistedValues.has(t));
  const items = fuse(program, { layout: (t) => layout.of(t), innermost: (t) => layout.innermost(t), hoisted });
  const written = new Set<Storage>();
  const isStill = (storage: Storage) => storage.persistent && !written.has(storage);
  const still = stillValues(program);
  const kernels = new FusedKernels();
  const { persistent } = memory;
  const maps = borders(program, memberOf);
  const turned = turnedProducts(program);
  const planner = new Planner({ kernels, layout, borders: maps, memberOf, turned, persistent, isStill });

  const variablePlaces = new Map<Variable, Place>();
  for (const [v, t] of program.variables) {
    const place = planner.kept(t.shape, memory.variable(v));
    variablePlaces.set(v, place);
    if (program.updates.has(v)) written.add(place.storage);
    planner.define(t, place);
  }
  const inputs = program.inputs.map((t) => {
    const place = planner.scratch(t.shape);
    planner.use(place);
    planner.define(t, place);
    return { spec: t, place };
  });
  const inPlace = inPlaceUpdates(program, items, layout, memberOf);
  for (const [t, v] of inPlace) planner.define(t, variablePlaces.get(v)!);

  planner.offerEpilogues(epilogues(program, items, (t) => still.has(t)));
  const origins: Origin[] = [];
  const lowerItem = (item: Item): void => {
    if (isGroup(item) && planner.done.has(item)) return;
    const later = isGroup(item) ? lowerGroup(item, innermostOf(item, layout), planner) : [item];
    for (const e of later) lowerEquation(e, planner);
    while (origins.length < planner.drafts.length) origins.push(originOf(item));
  };
  for (const item of items) {
    const isHoisted = isGroup(item) ? item.hoisted : hoisted(item);
    if (isHoisted) planner.hoist(() => lowerItem(item));
    else lowerItem(item);
  }
  const outputs = program.outputs.map((t) => ({ spec: t, place: outputPlace(planner, t, written) }));
  assignLate(planner, program, inPlace, variablePlaces);
  while (origins.length < planner.drafts.length) origins.push({ name: "output", about: "" });
  for (const { place } of outputs) planner.use(place);

  const arenaBytes = placeArena(planner, memory);
  const drafts = [...planner.prologue, ...planner.drafts];
  const steps = drafts.map((draft) => draft.make());
  const transfer = ({ spec, place }: { spec: TensorSpec; place: Place }): Transfer => ({
    address: addressOf(place),
    spec: { shape: spec.shape, dtype: spec.dtype },
  });
  const copied = planner.drafts.flatMap((_, i) => {
    const { name, about } = origins[i]!;
    return steps[planner.prologue.length + i]!.op === "pointwise" && name !== "group" ? [`${name} ${about}`] : [];
  });
  return {
    copies: [...new Set(copied)],
    steps,
    barrierBefore: barriersBefore(drafts.map((draft, i) => accessOf(draft, steps[i]!.serial ?? false))),
    kernels: kernels.assemble({ shared }),
    prologue: planner.prologue.length,
    inputs: inputs.map(transfer),
    outputs: outputs.map(transfer),
    hosts: planner.hosts.map((describe) => describe()),
    constants: planner.constants,
    arenaBytes,
    origins: [...planner.prologue.map(() => ({ name: "hoisted", about: "" })), ...origins],
  };
}

function originOf(item: Item): Origin {
  if (!isGroup(item)) {
    const shapes = (tensors: readonly Tensor[]) => tensors.map((t) => showShape(t.shape)).join(" ");
    return { name: item.name, about: `${shapes(item.inputs)} -> ${shapes(item.outputs)}` };
  }
  const { shape, layout, leaves, stores, equations, reductions } = item;
  const names = [...equations, ...reductions].map((e) => e.name).join(" ");
  const about = `${showShape(shape)} ${layout}, ${leaves.length} read, ${stores.length} written: ${names}`;
  return { name: "group", about };
}

const innermostOf = ({ stores, reductions }: Group, layout: Layouts): number =>
  layout.innermost(stores[0] ?? reductions[0]!.inputs[0]!);

/** Row-major, and out of the way of assignments. */
function outputPlace(planner: Planner, t: Tensor, written: ReadonlySet<Storage>): Place {
  const place = planner.place(t);
  if (!written.has(place.storage)) return planner.rowMajor(place);
  const copy = planner.scratch(t.shape);
  planner.copy(copy, place);
  return copy;
}

/** Assignments are simultaneous: one that takes another Variable's old value takes it through a copy. */
function assignLate(
  planner: Planner,
  program: Program,
  inPlace: ReadonlyMap<Tensor, Variable>,
  places: ReadonlyMap<Variable, Place>,
): void {
  const base = basesOf(program.equations);
  const olds = new Set(program.variables.values());
  const late = [...program.updates].filter(([variable, t]) => inPlace.get(t) !== variable);
  const sources = late.map(([variable, t]) => {
    const place = planner.place(t);
    if (!olds.has(base(t))) return { variable, place };
    const copy = planner.scratch(t.shape);
    planner.copy(copy, place);
    return { variable, place: copy };
  });
  for (const { variable, place } of sources) planner.copy(places.get(variable)!, place);
}

function placeArena({ storages }: Planner, memory: PlanMemory): number {
  const used = storages.filter(({ first }) => first >= 0);
  const bytes = planArena(used, 0);
  const base = memory.openArena(bytes);
  for (const storage of used) storage.address += base;
  return bytes;
}

const range = ({ address, bytes }: Storage): Range => [address, address + bytes];
const accessOf = ({ reads, writes }: Draft, serial: boolean) => ({
  reads: reads.map(range),
  writes: writes.map(range),
  serial,
});
