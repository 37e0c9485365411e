// A training step of yolo11n in a browser, on WebGL2 (with half of its channels) and WebGPU.
import { it } from "vitest";
import { expectStep } from "./train-step-gpu.cases.ts";

it.each([
  { name: "gpu:webgl2", isNarrow: true },
  { name: "gpu:webgpu", isNarrow: false },
] as const)("a training step of yolo11n on $name changes what it changes in float64", ({ name, isNarrow }) =>
  expectStep({ yaml: "yolo11n.yaml", isNarrow }, name),
);
