// Groups of equations that ONNX has one node for.
import type { Equation, Tensor } from "@orepa/tensor";

type Producer = (t: Tensor) => Equation | undefined;
/** The equation of a name that made a value. */
const made = <N extends Equation["name"]>(t: Tensor | undefined, name: N, producer: Producer) => {
  const equation = t && producer(t);
  return equation?.name === name ? (equation as Equation & { name: N }) : undefined;
};

/** conv2d(x, w) + expand(reshape(b, [1, O, 1, 1])), with the bias b of shape [O]. */
export function convolutionWithBias({ name, inputs: [sum, expanded] }: Equation, producer: Producer) {
  if (name !== "add") return undefined;
  const convolution = made(sum, "conv2d", producer);
  const column = made(made(expanded, "expand", producer)?.inputs[0], "reshape", producer);
  const bias = column?.inputs[0];
  const isColumn = bias?.shape.length === 1 && column!.params.shape.join() === [1, bias.size, 1, 1].join();
  return convolution && isColumn ? { convolution, bias } : undefined;
}

/** e / sum(e) with e = exp(x - max(x)): softmax(x) along one axis. */
export function softmaxOf({ name, inputs: [numerator, expanded] }: Equation, producer: Producer) {
  if (name !== "div") return undefined;
  const e = made(numerator, "exp", producer);
  const total = made(made(expanded, "expand", producer)?.inputs[0], "sum", producer);
  const difference = made(e?.inputs[0], "sub", producer);
  const [x, shift] = difference?.inputs ?? [];
  const constant = made(made(shift, "expand", producer)?.inputs[0], "detach", producer);
  const largest = made(constant?.inputs[0], "amax", producer);
  const [axis, ...others] = total?.params.axes ?? [];
  const matches =
    axis !== undefined &&
    others.length === 0 &&
    total!.inputs[0] === numerator &&
    largest?.inputs[0] === x &&
    largest!.params.axes.join() === total!.params.axes.join();
  return matches ? { x: x!, axis: axis! } : undefined;
}
