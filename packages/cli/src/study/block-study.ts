// One block as it trains: what it keeps for the backward pass, what it plans, how long a step takes, what merging costs.

import { createSgd, groupParameters, initialize, type Parameter, parameters, valueAndGrad } from "@orepa/autograd";
import { flopsOf, parameterCount } from "@orepa/orepa";
import {
  compile,
  type DeviceSpec,
  fromData,
  Generator,
  keptBytes,
  mean,
  mul,
  randn,
  sizeOf,
  sum,
  type Tensor,
  trace,
} from "@orepa/tensor";
import { UserError } from "@orepa/yolo";
import { type MethodName, methodBlock } from "./methods.ts";
import { inTurns } from "./turns.ts";

/** A block's size: channels in and out, side of its map, pictures in a batch. */
export interface BlockSize {
  readonly channels: number;
  readonly size: number;
  readonly batch: number;
}

/** The result for one block; the names are those of the JSON. */
export interface BlockRow extends BlockSize {
  readonly method: MethodName;
  /** Bytes that the forward pass leaves for the backward pass, the input's included. */
  readonly bytes_kept: number;
  /** Bytes of the planned arena and of what the program holds. */
  readonly planned_bytes: number;
  /** Median of the rounds, and between which half of them lie. */
  readonly step_ms: number;
  readonly step_ms_quartiles: readonly [low: number, high: number];
  readonly parameters: number;
  /** Operations of one forward pass, and those of them that a plain convolution would not need. */
  readonly flops: number;
  readonly extra_flops: number;
}

/** `64/56/32,128/28/32`. Throws a UserError for anything else. */
export function readSizes(text: string): BlockSize[] {
  return text.split(",").map((part) => {
    const numbers = part.split("/").map(Number);
    const [channels, size, batch] = numbers;
    if (numbers.length !== 3 || numbers.some((n) => !Number.isInteger(n) || n < 1))
      throw new UserError(`sizes: expected channels/side/batch, got "${part}" (e.g. sizes=64/56/32,128/28/32)`);
    return { channels: channels!, size: size!, batch: batch! };
  });
}

const hyper = { learningRates: [0.01, 0.01, 0.01], momentum: 0.9, weightDecay: 5e-4 } as const;

/** Forward, backward to input and parameters, SGD with momentum. The first result is the loss. */
function stepOf(method: MethodName, { channels }: BlockSize, cotangent: Tensor) {
  const block = methodBlock(method, channels);
  initialize(block, 0);
  const sgd = createSgd(groupParameters(block));
  const trained = parameters(block);
  const step = (input: Tensor) => {
    // A mean: a sum makes the gain of the norm so large that its activation saturates, and what is almost 0 slows down the maps.
    const loss = () => mean(mul(block.forward(input, "train"), cotangent));
    const { value, grads } = valueAndGrad<Tensor | Parameter>(loss, [input, ...trained]);
    sgd.update(grads, hyper);
    // A sum keeps the input's gradient alive, which the layers below would need, without the time to copy it out.
    return { loss: value, inputGradient: sum(grads.get(input)!) };
  };
  return { block, step };
}

/**
 * Bytes that a method's block of a size leaves for its backward pass, without computing anything. They do not depend on the machine.
 */
export function blockBytesKept(method: MethodName, size: BlockSize): number {
  const shape = shapeOf(size);
  const cotangent = fromData(new Float32Array(sizeOf(shape)), shape);
  return keptBytes(trace(stepOf(method, size, cotangent).step, [{ shape, dtype: "float32" }]).program);
}

const shapeOf = ({ channels, size, batch }: BlockSize): readonly number[] => [batch, channels, size, size];

/** The rows of one size, all methods in turns. */
export async function studyBlocks(
  size: BlockSize,
  options: {
    readonly methods: readonly MethodName[];
    readonly device: DeviceSpec;
    readonly repeats: number;
    readonly now: () => number;
    readonly onRound: (done: number, total: number) => void;
  },
): Promise<BlockRow[]> {
  const { methods, device } = options;
  const shape = shapeOf(size);
  const [x, cotangent] = ["input", "cotangent"].map((name) => randn(shape, { generator: new Generator(name) }));
  const plain = flopsOf(methodBlock("plain", size.channels), shape);
  const made = methods.map((method) => {
    const { block, step } = stepOf(method, size, cotangent!);
    return { method, block, program: compile(step, { device }) };
  });
  try {
    const times = await inTurns(new Map(made.map(({ method, program }) => [method, () => program(x!)])), options);
    return made.map(({ method, block, program }): BlockRow => {
      const { planned, peakBytes } = program.report();
      const flops = flopsOf(block, shape);
      return {
        ...{ ...size, method },
        bytes_kept: blockBytesKept(method, size),
        planned_bytes: planned ? planned.arena + planned.program : peakBytes,
        step_ms: times.get(method)!.median,
        step_ms_quartiles: times.get(method)!.quartiles,
        parameters: parameterCount(block),
        ...{ flops, extra_flops: flops - plain },
      };
    });
  } finally {
    for (const { program } of made) program.dispose();
  }
}
