// Optimizers and what belongs to a training step.
export * from "./adamw.ts";
export * from "./clip-grad-norm.ts";
export * from "./ema.ts";
export type { Gradients, Optimizer } from "./optimizer.ts";
export * from "./parameter-groups.ts";
export type { Scalar } from "./scalar.ts";
export * from "./sgd.ts";
