// Learning rates, momentum and gradient accumulation as plain numbers: what holds for a given batch of a given epoch.
import { roundHalfEven } from "../round.ts";
import type { OptimizerPlan, TrainArgs } from "./events.ts";

/** The arguments that the schedule depends on. */
export type ScheduleArgs = Pick<
  TrainArgs,
  | "epochs"
  | "batch"
  | "nbs"
  | "optimizer"
  | "lr0"
  | "lrf"
  | "momentum"
  | "weight_decay"
  | "warmup_epochs"
  | "warmup_momentum"
  | "warmup_bias_lr"
  | "cos_lr"
>;

/** The settings of one batch. */
export interface BatchSettings {
  /** Learning rates of the groups: biases, decayed weights, normalisation weights. */
  readonly lr: readonly [number, number, number];
  /** SGD's momentum, or beta1. */
  readonly momentum: number;
  /** Gradients of this many batches are summed before a step. */
  readonly accumulate: number;
}

/** The whole plan of a training. */
export interface Schedule {
  readonly optimizer: OptimizerPlan;
  /** Iterations of warm-up; -1 without any. */
  readonly warmup: number;
  /** The largest accumulation that occurs, also in the warm-up. */
  readonly accumulate: number;
  /** The factor on the starting learning rate in an epoch (from 0), warm-up aside. */
  factor(epoch: number): number;
  /** The settings of an iteration, counted from 0 over all epochs. */
  at(epoch: number, iteration: number): BatchSettings;
}

/** Warm-up lasts at least this many iterations. */
const minimumWarmup = 100;
/** More iterations than this train with SGD when the optimizer is chosen automatically. */
const autoSgdIterations = 10_000;
const autoMomentum = 0.9;

/** Batches whose gradients are summed for an optimizer step, warm-up aside. */
export const accumulation = ({ nbs, batch }: Pick<ScheduleArgs, "nbs" | "batch">): number =>
  Math.max(roundHalfEven(nbs / batch), 1);

/** Plans a training of `images` pictures in `classes` classes with `batches` batches an epoch. */
export function createSchedule(
  args: ScheduleArgs,
  { images, batches, classes }: { readonly images: number; readonly batches: number; readonly classes: number },
): Schedule {
  const fullAccumulate = accumulation(args);
  const optimizer = planOptimizer(args, { images, classes, accumulate: fullAccumulate });
  const warmup = args.warmup_epochs > 0 ? Math.max(roundHalfEven(args.warmup_epochs * batches), minimumWarmup) : -1;
  const factor = (epoch: number) =>
    args.cos_lr
      ? ((1 - Math.cos((epoch * Math.PI) / args.epochs)) / 2) * (args.lrf - 1) + 1
      : Math.max(1 - epoch / args.epochs, 0) * (1 - args.lrf) + args.lrf;
  // The warm-up ramps SGD's momentum to the argument, also where the automatic choice began with another one.
  const finalMomentum = optimizer.name === "SGD" && warmup >= 0 ? args.momentum : optimizer.momentum;
  const at = (epoch: number, iteration: number): BatchSettings => {
    const rate = optimizer.lr * factor(epoch);
    if (iteration > warmup) return { lr: [rate, rate, rate], momentum: finalMomentum, accumulate: fullAccumulate };
    const ramp = (from: number, to: number) => ((to - from) / warmup) * iteration + from;
    const others = ramp(0, rate);
    return {
      lr: [ramp(optimizer.warmupBiasLr, rate), others, others],
      momentum: optimizer.name === "SGD" ? ramp(args.warmup_momentum, finalMomentum) : finalMomentum,
      accumulate: Math.max(1, roundHalfEven(ramp(1, args.nbs / args.batch))),
    };
  };
  return { optimizer, warmup, accumulate: fullAccumulate, factor, at };
}

function planOptimizer(
  args: ScheduleArgs,
  { images, classes, accumulate }: { images: number; classes: number; accumulate: number },
): OptimizerPlan {
  const weightDecay = (args.weight_decay * args.batch * accumulate) / args.nbs;
  if (args.optimizer !== "auto") {
    const { optimizer: name, lr0: lr, momentum, warmup_bias_lr: warmupBiasLr } = args;
    return { name, lr, momentum, warmupBiasLr, weightDecay };
  }
  const iterations = Math.ceil(images / Math.max(args.batch, args.nbs)) * args.epochs;
  if (iterations > autoSgdIterations) {
    return { name: "SGD", lr: 0.01, momentum: autoMomentum, warmupBiasLr: 0, weightDecay };
  }
  const lr = Math.round(((0.002 * 5) / (4 + classes)) * 1e6) / 1e6;
  return { name: "AdamW", lr, momentum: autoMomentum, warmupBiasLr: 0, weightDecay };
}
