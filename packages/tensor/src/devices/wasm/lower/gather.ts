// Lowering of the primitives that walk along one axis: gather, scatterAdd, argsort and cumsum.
import { loopsOver } from "../plan/loops.ts";
import { addressOf, flipPlace, type Place } from "../plan/place.ts";
import type { Builder, Lowering } from "./builder.ts";

/** Fewer elements than this are not worth waking another thread. */
const SMALL = 4096;

/** The loops over all axes but one, of places that agree in them, and what the step needs to know of each place. */
function along(places: readonly Place[], axis: number) {
  const [first] = places;
  const others = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== axis);
  return {
    loops: loopsOver(
      others(first!.shape),
      places.map((p) => others(p.strides)),
    ),
    axis: places.map((p) => p.strides[axis]!),
    serial: first!.shape.reduce((a, b) => a * b, 1) < SMALL,
    at: () => places.map((p) => addressOf(p) / 4),
  };
}
const empty = (place: Place): boolean => place.shape.includes(0);
const touch = (reads: readonly Place[], write: Place): Parameters<Builder["step"]>[0] => ({
  reads: reads.map(({ storage }) => storage),
  writes: [write.storage],
});

const gather: Lowering<"gather"> = ({ inputs, outputs, params: { axis } }, b) => {
  const [x, index] = inputs.map((t) => b.place(t)) as [Place, Place];
  const y = b.result(outputs[0]!);
  if (empty(y)) return;
  const { at, ...rest } = along([y, index, x], axis);
  const sizes = { count: y.shape[axis]!, size: x.shape[axis]! };
  b.step(touch([x, index], y), () => ({ op: "gather", ...rest, ...sizes, at: at() }));
};

const scatterAdd: Lowering<"scatterAdd"> = ({ inputs, outputs, params: { axis, size } }, b) => {
  const [x, index] = inputs.map((t) => b.place(t)) as [Place, Place];
  const y = b.result(outputs[0]!);
  if (empty(y)) return;
  const { at, ...rest } = along([x, index, y], axis);
  b.step(touch([x, index], y), () => ({ op: "scatterAdd", ...rest, count: x.shape[axis]!, size, at: at() }));
};

const argsort: Lowering<"argsort"> = ({ inputs, outputs, params: { axis, descending } }, b) => {
  const x = b.place(inputs[0]!);
  const y = b.result(outputs[0]!);
  if (empty(y)) return;
  const { at, ...rest } = along([x, y], axis);
  b.step(touch([x], y), () => ({ op: "argsort", ...rest, size: x.shape[axis]!, descending, at: at() }));
};

const cumsum: Lowering<"cumsum"> = ({ inputs, outputs, params: { axis, reverse } }, b) => {
  const turned = (p: Place) => (reverse ? flipPlace(p, [axis]) : p);
  const x = turned(b.place(inputs[0]!));
  const y = turned(b.result(outputs[0]!));
  if (empty(y)) return;
  const { at, ...rest } = along([x, y], axis);
  b.step(touch([x], y), () => ({ op: "cumsum", ...rest, size: x.shape[axis]!, at: at() }));
};

export const gatherLowerings = { gather, scatterAdd, argsort, cumsum };
