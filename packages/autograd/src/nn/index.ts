// Modules, layers and state dicts.
export * from "./activations.ts";
export * from "./batch-norm.ts";
export * from "./conv.ts";
export * from "./dropout.ts";
export * from "./linear.ts";
export * from "./mergeable.ts";
export * from "./module.ts";
export * from "./online-kernel.ts";
export * from "./parameter.ts";
export * from "./pooling.ts";
export * from "./state-dict.ts";
