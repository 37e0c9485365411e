// @orepa/tensor/wasm: the WebAssembly kernels, for benchmarks and for the device to come.
export { type Definition, define, type Exports, type FunctionBuilder, instantiate, integers } from "./assembler.ts";
export type { Launch } from "./launch.ts";
export { LIMIT_FLOP, type Limit, limitLoop, openLimit } from "./limit.ts";
export type { Expression } from "./pointwise/expression.ts";
export { FusedKernels } from "./pointwise/library.ts";
export { type ConvOptions, runConv, runConvInput, runConvWeight } from "./run-conv.ts";
export { runMatmul } from "./run-matmul.ts";
export { instantiateKernels, Runtime } from "./runtime.ts";
export { type PointwiseMachine, runPointwise } from "./steps/pointwise.ts";
export { f32x4, type Local, load, op, type Value } from "./values.ts";
export { WebAssembly } from "./web-assembly.ts";
