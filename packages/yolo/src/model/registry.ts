// What a block owes the parser: a builder from a row of model text to a module. Registries are plain objects of builders,
// so that other packages add theirs by spreading.

import type { Mode, Module } from "@orepa/autograd";
import type { Tensor } from "@orepa/tensor";
import { UserError } from "../errors.ts";
import type { Scale } from "./definition.ts";
import type { Detect } from "./heads/detect.ts";

/** What a builder gets to know about its row. */
export interface BlockContext {
  /** The layer in messages, like "layer 2 (C3k2)". */
  readonly where: string;
  /** Channels of each input. */
  readonly inChannels: readonly number[];
  /** Pixels per cell of each input. */
  readonly inStrides: readonly number[];
  /** The arguments as written, names such as nc replaced; channels are not scaled yet, see `scaleChannels`. */
  readonly args: readonly unknown[];
  /** Repeats, scaled by depth. */
  readonly repeats: number;
  readonly scale: Scale;
  /** Whether the deployed form is wanted: plain convolutions with bias, no norms. */
  readonly fused: boolean;
  /** The width rule: at most maxChannels, times width, rounded up to a multiple of 8; a number equal to nc stays. */
  readonly scaleChannels: (channels: number) => number;
}

/** A layer of the body. */
export interface BuiltBlock {
  readonly kind: "block";
  readonly module: object;
  /** Runs `module`, or what has taken its place in the model. */
  readonly forward: (inputs: readonly Tensor[], mode: Mode, module: object) => Tensor;
  readonly outChannels: number;
  /** Pixels per cell of the output. */
  readonly stride: number;
  /** Arguments after scaling, for the layer table. */
  readonly args: readonly unknown[];
}

/** The last layer. */
export interface BuiltHead {
  readonly kind: "head";
  readonly module: Detect;
  readonly args: readonly unknown[];
}

/** Makes the module of one row. @throws UserError if the row's arguments do not fit the block. */
export type BlockBuilder = (context: BlockContext) => BuiltBlock | BuiltHead;

/** Blocks by the name that model text uses. */
export type BlockRegistry = Readonly<Record<string, BlockBuilder>>;

/** A block with one input. `stride` is how many input cells an output cell covers (below 1: the map grows). */
export function singleInput(
  context: BlockContext,
  module: Module,
  { outChannels, stride = 1, args }: { outChannels: number; stride?: number; args: readonly unknown[] },
): BuiltBlock {
  if (context.inChannels.length !== 1)
    throw new UserError(`${context.where}: expected one input, got ${context.inChannels.length}`);
  return {
    kind: "block",
    module,
    // What takes the place of a module has its signature.
    forward: ([x], mode, current) => (current as Module).forward(x!, mode),
    outChannels,
    stride: context.inStrides[0]! * stride,
    args,
  };
}

/** The arguments [c2, k, s = 1] of a convolution-like row, channels scaled: what any block in place of `Conv` reads. */
export interface ConvolutionArguments {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride: number;
  /** [c1, c2, k, s, ...rest] as far as written, for the layer table. */
  readonly args: readonly unknown[];
}

/**
 * Reads the arguments of a convolution-like row; `kernelSize` is the one of rows that give none.
 * @throws UserError if they are not whole numbers or the row repeats.
 */
export function convolutionArguments(context: BlockContext, { kernelSize = 1 } = {}): ConvolutionArguments {
  once(context);
  const read = argumentsOf(context);
  const inChannels = context.inChannels[0]!;
  const outChannels = context.scaleChannels(read.count(0, "output channels"));
  const args = [inChannels, outChannels, ...context.args.slice(1)];
  return {
    inChannels,
    outChannels,
    kernelSize: read.count(1, "kernel size", kernelSize),
    stride: read.count(2, "stride", 1),
    args,
  };
}

/** Refuses repeats: for blocks that do not repeat within themselves. */
export function once({ where, repeats }: BlockContext): void {
  if (repeats !== 1) throw new UserError(`${where}: expected 1 repeat, got ${repeats}; write the row ${repeats} times`);
}

/** Typed access to a row's arguments by position; without a default the argument must be there. */
export function argumentsOf({ where, args }: BlockContext): {
  count(position: number, name: string, fallback?: number): number;
  number(position: number, name: string, fallback?: number): number;
  flag(position: number, name: string, fallback?: boolean): boolean;
} {
  const read =
    <T>(kind: string, accepts: (value: unknown) => value is T) =>
    (position: number, name: string, fallback?: T): T => {
      const value = args[position] ?? fallback;
      if (accepts(value)) return value;
      throw new UserError(
        `${where}: expected argument ${position} (${name}) to be ${kind}, got ${JSON.stringify(value) ?? "nothing"}`,
      );
    };
  return {
    count: read("a positive whole number", (v): v is number => Number.isInteger(v) && (v as number) > 0),
    number: read("a number", (v): v is number => typeof v === "number"),
    flag: read("true or false", (v): v is boolean => typeof v === "boolean"),
  };
}
