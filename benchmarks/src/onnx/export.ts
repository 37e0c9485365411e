// Writes a traced program as an ONNX file: one node for each equation that an output needs, weights as they stand now.
// Biases go into their convolutions and softmax becomes one node, as every exporter does it.
import type { Equation, Program, Tensor } from "@orepa/tensor";
import { type Declared, dataTypes, type Initializer, model, type Node } from "./messages.ts";
import { convolutionWithBias, softmaxOf } from "./patterns.ts";

/** Primitives that are an operator of ONNX with the same inputs and nothing else to say; those of two inputs broadcast. */
const plain: Partial<Record<Equation["name"], string>> = {
  ...{ neg: "Neg", exp: "Exp", log: "Log", sqrt: "Sqrt", abs: "Abs", sin: "Sin", cos: "Cos", atan: "Atan" },
  ...{ sigmoid: "Sigmoid", copy: "Identity", detach: "Identity", matmul: "MatMul" },
  ...{ add: "Add", sub: "Sub", mul: "Mul", div: "Div", pow: "Pow", maximum: "Max", minimum: "Min" },
  ...{ greater: "Greater", equal: "Equal", where: "Where" },
};
/** Primitives of equal shapes, whose operators broadcast: an `expand` in front of them need not be written. */
const broadcasting: ReadonlySet<Equation["name"]> = new Set([
  ...(["add", "sub", "mul", "div", "pow", "maximum", "minimum", "greater", "equal"] as const),
]);

/**
 * The file's bytes. Inputs are named x0, x1, ..., outputs y0, y1, ...; shapes are fixed.
 * @throws Error for a primitive that has no rule here.
 */
export function exportOnnx(program: Program): Uint8Array {
  const writer = new Writer(program);
  const declare =
    (prefix: string) =>
    (t: Tensor, i: number): Declared => ({
      name: `${prefix}${i}`,
      ...{ shape: t.shape, dtype: t.dtype },
    });
  const outputs = program.outputs.map(declare("y"));
  outputs.forEach(({ name }, i) => {
    writer.node({ op: "Identity", inputs: [writer.read(program.outputs[i]!)], outputs: [name] });
  });
  const { nodes, initializers } = writer;
  return model({ nodes, initializers, inputs: program.inputs.map(declare("x")), outputs });
}

/** Writes what is asked for, and before it what that needs. */
class Writer {
  readonly nodes: Node[] = [];
  readonly initializers: Initializer[] = [];
  readonly #names = new Map<Tensor, string>();
  readonly #producers = new Map<Tensor, Equation>();
  readonly #uses = new Map<Tensor, number>();
  readonly #values = new Map<Tensor, Tensor>();

  constructor({ inputs, variables, equations }: Program) {
    inputs.forEach((t, i) => {
      this.#names.set(t, `x${i}`);
    });
    for (const [variable, symbol] of variables) this.#values.set(symbol, variable.value);
    for (const equation of equations) {
      for (const t of equation.inputs) this.#uses.set(t, (this.#uses.get(t) ?? 0) + 1);
      for (const t of equation.outputs) this.#producers.set(t, equation);
    }
  }

  node(node: Node): void {
    this.nodes.push(node);
  }

  /** The name of a value, written by now. */
  read(t: Tensor): string {
    const known = this.#names.get(t);
    if (known !== undefined) return known;
    const producer = this.#producers.get(t);
    if (producer) this.#write(this.#plan(producer));
    else this.#names.set(t, this.#constant(this.#values.get(t) ?? t));
    return this.#names.get(t)!;
  }

  /** A new initializer of whole numbers. */
  #integers(values: readonly number[]): string {
    const name = `c${this.initializers.length}`;
    this.initializers.push({ name, shape: [values.length], dtype: "int64", data: BigInt64Array.from(values, BigInt) });
    return name;
  }

  #constant(t: Tensor): string {
    const name = `c${this.initializers.length}`;
    this.initializers.push({ name, shape: t.shape, dtype: t.dtype, data: t.toTypedArray() });
    return name;
  }

  /** The node of an equation; what it needs is written on the way. */
  #plan(equation: Equation): Plan {
    const [y] = equation.outputs as [Tensor];
    const producer = (t: Tensor) => this.#producers.get(t);
    const softmax = softmaxOf(equation, producer);
    if (softmax) return plan("Softmax", [this.read(softmax.x)], [y], { axis: softmax.axis });
    const biased = convolutionWithBias(equation, producer);
    if (biased && this.#uses.get(biased.convolution.outputs[0]!) === 1)
      return this.#convolution(biased.convolution, [y], biased.bias);
    const operator = plain[equation.name];
    if (operator !== undefined) return plan(operator, this.#operands(equation), equation.outputs);
    const [x] = equation.inputs as [Tensor];
    const from = (...more: string[]) => [this.read(x), ...more];
    switch (equation.name) {
      case "conv2d":
        return this.#convolution(equation, [y]);
      case "cast":
        return plan("Cast", from(), [y], { to: dataTypes[equation.params.dtype] });
      case "reshape":
        return plan("Reshape", from(this.#integers(equation.params.shape)), [y]);
      case "expand":
        return plan("Expand", from(this.#integers(equation.params.shape)), [y]);
      case "permute":
        return plan("Transpose", from(), [y], { perm: equation.params.order });
      case "slice": {
        const { start, end, axis, step } = equation.params;
        return plan("Slice", from(...[start, end, axis, step].map((n) => this.#integers([n]))), [y]);
      }
      case "split": {
        const { sizes, axis } = equation.params;
        return plan("Split", from(this.#integers(sizes)), equation.outputs, { axis });
      }
      case "concat":
        return plan("Concat", this.#operands(equation), [y], { axis: equation.params.axis });
      case "sum":
        return plan("ReduceSum", from(this.#integers(equation.params.axes)), [y]);
      case "amax":
        return plan("ReduceMax", from(), [y], { axes: equation.params.axes });
      case "maxPool": {
        const { size, stride, padding } = equation.params;
        return plan("MaxPool", from(), [y], { kernel_shape: size, strides: stride, pads: bothEnds(padding) });
      }
      case "upsample": {
        const { by } = equation.params;
        const scales = `c${this.initializers.length}`;
        this.initializers.push({ name: scales, shape: [4], dtype: "float32", data: Float32Array.of(1, 1, by, by) });
        const mode = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
        return plan("Resize", from("", scales), [y], mode);
      }
      default:
        throw new Error(`onnx: expected a primitive that has a rule, got ${equation.name}`);
    }
  }

  #convolution({ inputs, params }: Equation & { name: "conv2d" }, outputs: readonly Tensor[], bias?: Tensor): Plan {
    const [, w] = inputs as [Tensor, Tensor];
    const names = [...inputs, ...(bias ? [bias] : [])].map((t) => this.read(t));
    return plan("Conv", names, outputs, {
      ...{ kernel_shape: w.shape.slice(2), strides: params.stride, pads: bothEnds(params.padding) },
      ...{ dilations: params.dilation, group: params.groups },
    });
  }

  /** The inputs' names; of operators that broadcast, without `expand` where the shapes still give the output's. */
  #operands({ name, inputs, outputs }: Equation): string[] {
    if (!broadcasting.has(name)) return inputs.map((t) => this.read(t));
    const small = inputs.map((t) => {
      const producer = this.#producers.get(t);
      return producer?.name === "expand" ? producer.inputs[0]! : t;
    });
    const fits = outputs[0]!.shape.every((n, axis) => small.some((t) => t.shape[axis] === n));
    return (fits ? small : inputs).map((t) => this.read(t));
  }

  #write({ outputs, ...rest }: Plan): void {
    const names = outputs.map((_, i) => `v${this.nodes.length}_${i}`);
    outputs.forEach((t, i) => {
      this.#names.set(t, names[i]!);
    });
    this.nodes.push({ ...rest, outputs: names });
  }
}

/** A node whose outputs have no names yet. */
interface Plan extends Omit<Node, "outputs"> {
  readonly outputs: readonly Tensor[];
}
const plan = (op: string, inputs: Plan["inputs"], outputs: Plan["outputs"], attributes = {}): Plan => ({
  ...{ op, inputs, outputs, attributes },
});

/** ONNX wants the padding at both ends: [top, left, bottom, right]. */
const bothEnds = (padding: readonly [number, number]): number[] => [...padding, ...padding];
