// Facts of a model: layers, parameters, operations, and the layer table of the console.

import { countModules, type Mode, namedParameters, parameters } from "@orepa/autograd";
import { sizeOf, Tensor, Trace } from "@orepa/tensor";
import type { DetectModel } from "./detect-model.ts";

/** A model in numbers. */
export interface ModelInfo {
  /** All nested modules. */
  readonly layers: number;
  readonly parameters: number;
  /** Parameters that are trained: all but the fixed weights of the DFL. */
  readonly gradients: number;
  /** 10^9 floating point operations for one image; see `gigaFlops`. */
  readonly gflops: number;
}

/** One row of the layer table. */
export interface LayerRow {
  readonly index: number;
  readonly from: number | readonly number[];
  readonly repeats: number;
  readonly params: number;
  readonly module: string;
  readonly args: readonly unknown[];
}

/** The side of the image that operations are counted for. */
const countedImageSize = 640;
/** Multiply-adds that the reference's counter charges per element of a norm. */
const normCost = 4;

/** The model in numbers, operations for an image of `imageSize` x `imageSize`. */
export const modelInfo = (model: DetectModel, imageSize = countedImageSize): ModelInfo => ({
  layers: countModules(model),
  parameters: parameterCount(model),
  gradients: parameters(model).reduce((sum, parameter) => sum + sizeOf(parameter.shape), 0),
  gflops: gigaFlops(model, imageSize),
});

/** The console's summary line. @example "YOLO11n summary: 319 layers, 2,624,080 parameters, 2,624,064 gradients, 6.6 GFLOPs" */
export function summary(name: string, info: ModelInfo): string {
  const [layers, params, gradients] = [info.layers, info.parameters, info.gradients].map(grouped);
  return `${name} summary: ${layers} layers, ${params} parameters, ${gradients} gradients, ${info.gflops.toFixed(1)} GFLOPs`;
}

/** Commas between thousands. `toLocaleString` first reads the tables of all languages: 30 ms. */
const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

/** The rows of the console's layer table. */
export const layerTable = (model: DetectModel): LayerRow[] =>
  model.layers.map(({ index, from, repeats, block, args }) => ({
    index,
    from,
    repeats,
    params: parameterCount(model.model[index]!),
    module: block,
    args,
  }));

/** The layer table as text, one line per layer under a header: index, from, n, params, module, arguments. */
export function formatLayerTable(rows: readonly LayerRow[]): string {
  const line = (
    index: string | number,
    from: string,
    n: string | number,
    params: string | number,
    rest: string,
  ): string =>
    `${String(index).padStart(3)}${from.padStart(20)}${String(n).padStart(3)}${String(params).padStart(10)}  ${rest}`;
  const moduleColumn = (module: string, args: string): string => `${module.padEnd(45)}${args}`;
  const header = line("", "from", "n", "params", moduleColumn("module", "arguments"));
  const body = rows.map(({ index, from, repeats, params, module, args }) =>
    line(index, showList(from), repeats, params, moduleColumn(module, showList(args))),
  );
  return [header, ...body].join("\n");
}

const showList = (value: unknown): string =>
  Array.isArray(value)
    ? `[${value.map(showList).join(", ")}]`
    : typeof value === "string"
      ? `'${value}'`
      : String(value);

/**
 * Operations of one image of `imageSize` x `imageSize`, in 10^9: two for every multiply-add of a convolution, and norms; other
 * layers and the matrix products of attention are left out, as the reference's counter does.
 */
export function gigaFlops(model: DetectModel, imageSize = countedImageSize): number {
  let multiplyAdds = 0;
  for (const { name, inputs, outputs } of equations(model, "eval", imageSize))
    if (name === "conv2d") multiplyAdds += sizeOf(outputs[0]!.shape) * sizeOf(inputs[1]!.shape.slice(1));
  // In train mode, and only there, a norm shows in the list: it takes the statistics of its input.
  for (const { name, inputs } of equations(model, "train", imageSize))
    if (name === "varMean") multiplyAdds += normCost * sizeOf(inputs[0]!.shape);
  return (2 * multiplyAdds) / 1e9;
}

/** What the model computes, equation by equation, without computing it. */
function equations(model: DetectModel, mode: Mode, imageSize: number): Trace["equations"] {
  const trace = new Trace();
  trace.record(() => model.forward(new Tensor([1, 3, imageSize, imageSize], model.dtype, undefined, trace), mode));
  return trace.equations;
}

const parameterCount = (module: object): number =>
  [...namedParameters(module).values()].reduce((sum, parameter) => sum + sizeOf(parameter.shape), 0);
