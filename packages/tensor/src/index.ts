// @orepa/tensor: tensors, primitives, compiled programs.
export { bind, currentObserver, type Equation, type EquationOf, type Observer, observe } from "./bind.ts";
export {
  type Compiled,
  type CompileOptions,
  compile,
  type DeviceName,
  type DeviceSpec,
  deviceNames,
  type Result,
  trace,
} from "./compile.ts";
export { arange, eye, full, ones, onesLike, tensor, zeros, zerosLike } from "./creation.ts";
export type { Device, Executable, PlannedMemory } from "./devices/device.ts";
export { createGpu } from "./devices/gpu/device.ts";
export type { GpuName } from "./devices/gpu/names.ts";
export { gpuStatus } from "./devices/gpu/open.ts";
export { createWasm, type WasmOptions } from "./devices/wasm/device.ts";
export { allocate, type Dtype, isFloating, promote, type TypedArray } from "./dtype.ts";
export { DeviceError, MemoryError, OpError } from "./errors.ts";
export * from "./ops/composed.ts";
export * from "./ops/index-ops.ts";
export * from "./ops/linear.ts";
export * from "./ops/pointwise.ts";
export * from "./ops/reduce.ts";
export * from "./ops/shape.ts";
export { keptBytes } from "./passes/kept.ts";
export { printProgram } from "./passes/print.ts";
export type { Program } from "./passes/program.ts";
export type { EquationCost, Report } from "./passes/report.ts";
export type { ConvInto } from "./primitives/conv/conv.ts";
export type { ConvParams, Pair } from "./primitives/conv/geometry.ts";
export type { HostCall } from "./primitives/host-call.ts";
export type { PoolParams } from "./primitives/pool/kernels.ts";
export type { PoolInto, Scale } from "./primitives/pool/pool.ts";
export type { Reduce } from "./primitives/reduce/reduce.ts";
export { type Kind, type ParamsOf, type Primitive, type PrimitiveName, primitives } from "./primitives/table.ts";
export type { Pad, Slice } from "./primitives/view/view.ts";
export { Generator, hashText, rand, randn } from "./random.ts";
export { broadcastShapes, dims, normalizeAxis, rowMajor, type Shape, sameShape, showShape, sizeOf } from "./shape.ts";
export { type Concrete, fromData, type Nested, Tensor, type TensorSpec } from "./tensor.ts";
export { Trace } from "./trace.ts";
export { Variable } from "./variable.ts";
