// Scales behind a convolution go into its kernel where both stay the same from run to run:
// conv2d(x, w) a + b = conv2d(x, w a) + b for a and b of one value per channel. A norm in eval mode then costs one addition
// a pixel, and the kernel is folded once, before all runs.
import { bind, type Equation, type EquationOf, observe, withTrace } from "../bind.ts";
import { add, div, mul, neg, sub } from "../ops/pointwise.ts";
import { reshape } from "../ops/shape.ts";
import type { Shape } from "../shape.ts";
import { type Concrete, fromView, type Tensor } from "../tensor.ts";
import { type Pass, type Program, rewrite } from "./program.ts";
import { stillValues } from "./still.ts";

/** A kernel, and what is added behind it: one value per channel, or none. */
interface Folded {
  readonly weight: Tensor;
  readonly shift: Tensor | undefined;
}
/** A value that equals a convolution plus a shift. */
interface Affine {
  readonly conv: EquationOf<"conv2d">;
  readonly shift: Tensor | undefined;
}

/** The program itself where nothing can be folded. */
export const foldScale: Pass = (program) => {
  const still = stillValues(program);
  const isStill = (t: Tensor): boolean => t.view !== undefined || still.has(t);
  const readers = countReaders(program);
  const makers = new Map<Tensor, Equation>();
  const affine = new Map<Tensor, Affine>();
  const equations: Equation[] = [];
  let isChanged = false;
  const push = (e: Equation): void => {
    equations.push(e);
    for (const o of e.outputs) makers.set(o, e);
  };
  const perChannel = (t: Tensor): Tensor | undefined => {
    if (t.view) return repeated(t as Concrete);
    const maker = makers.get(t);
    const source = maker?.name === "expand" ? maker.inputs[0]! : undefined;
    return source && isStill(source) && isPerChannel(source.shape) ? source : undefined;
  };

  for (const e of program.equations) {
    const y = e.outputs[0]!;
    const at = e.inputs.findIndex((t) => affine.has(t) && readers.get(t) === 1);
    const before = affine.get(e.inputs[at]!);
    const folded = before && made(y, () => apply(e, at, before, perChannel));
    if (before && folded?.result) {
      isChanged = true;
      folded.equations.forEach(push);
      const { weight, shift } = folded.result;
      const { equations: last, result: conv } = made(y, () => fold(before.conv, weight, shift));
      // The last equation makes the sum, or the convolution where nothing is added: it takes the place of e.
      last.forEach((one, i) => {
        push(i === last.length - 1 ? rewrite(one, { outputs: e.outputs }) : one);
      });
      affine.set(y, { conv: shift ? conv : ({ ...conv, outputs: e.outputs } as Affine["conv"]), shift });
    } else {
      push(e);
      if (e.name === "conv2d" && isStill(e.inputs[1]!)) affine.set(y, { conv: e, shift: undefined });
    }
  }
  return isChanged ? { ...program, equations } : program;
};

/** Kernel and shift of `e`, whose input number `at` is affine; undefined if e is none of these operations. */
function apply(
  e: Equation,
  at: number,
  { conv, shift }: Affine,
  perChannel: (t: Tensor) => Tensor | undefined,
): Folded | undefined {
  const weight = conv.inputs[1]!;
  if (e.name === "neg") return { weight: neg(weight), shift: shift && neg(shift) };
  if (e.inputs.length !== 2) return undefined;
  const c = perChannel(e.inputs[1 - at]!);
  if (!c) return undefined;
  // [1, C, 1, 1] over the outputs of a kernel [C, I, kh, kw]
  const scale = reshape(c, [c.size, 1, 1, 1]);
  switch (e.name) {
    case "add":
      return { weight, shift: shift ? add(shift, c) : c };
    case "sub":
      if (at === 0) return { weight, shift: shift ? sub(shift, c) : neg(c) };
      return { weight: neg(weight), shift: shift ? sub(c, shift) : c };
    case "mul":
      return { weight: mul(weight, scale), shift: shift && mul(shift, c) };
    case "div":
      return at === 0 ? { weight: div(weight, scale), shift: shift && div(shift, c) } : undefined;
    default:
      return undefined;
  }
}

/** The convolution with another kernel, plus the shift. */
function fold(conv: Affine["conv"], weight: Tensor, shift: Tensor | undefined): Affine["conv"] {
  const same = weight === conv.inputs[1];
  const inputs = [conv.inputs[0]!, weight];
  const outputs = same ? conv.outputs : bind("conv2d", inputs, conv.params);
  if (shift) add(outputs[0]!, shift);
  return { ...conv, inputs, outputs };
}

/** What `fn` gives, and the equations with symbols that it binds, as part of the trace that `like` belongs to. */
function made<T>(like: Tensor, fn: () => T): { equations: Equation[]; result: T } {
  const equations: Equation[] = [];
  const note = (e: Equation): void => {
    if (e.outputs.some((o) => !o.view)) equations.push(e);
  };
  return { result: withTrace(like.trace!, () => observe(note, fn)), equations };
}

/** How many equations read each value; leaving the program counts as one. */
function countReaders({ equations, outputs, updates }: Program): ReadonlyMap<Tensor, number> {
  const readers = new Map<Tensor, number>();
  for (const list of [...equations.map((e) => new Set(e.inputs)), outputs, updates.values()])
    for (const t of list) readers.set(t, (readers.get(t) ?? 0) + 1);
  return readers;
}

const isPerChannel = ([N, , H, W, ...rest]: Shape): boolean => N === 1 && H === 1 && W === 1 && rest.length === 0;

/** A constant [N, C, H, W] that repeats one value per channel, as [1, C, 1, 1]. */
function repeated(t: Concrete): Tensor | undefined {
  const { stride, offset } = t.view;
  if (t.rank !== 4 || t.shape.some((n, axis) => axis !== 1 && n !== 1 && stride[axis] !== 0)) return undefined;
  return fromView(t, [1, t.shape[1]!, 1, 1], [0, stride[1]!, 0, 0], offset);
}
