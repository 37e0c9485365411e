// A training step of yolo11n, plain and with OREPA blocks, on the gpu device in the modes of gpu.js that run everywhere.
import { gpuStatus } from "@orepa/tensor";
import { it } from "vitest";
import { expectStep } from "./train-step-gpu.cases.ts";

const optional = (await gpuStatus("gpu:webgpu")).works ? ([["yolo11n.yaml", "gpu:webgpu"]] as const) : [];
it.each([["yolo11n.yaml", "gpu:webasm"], ["yolo11n-OREPA.yaml", "gpu:cpu"], ...optional] as const)(
  "a training step of %s on %s changes what it changes in float64",
  (yaml, name) => expectStep({ yaml }, name),
);

it.each(optional)(
  "a training step of %s on %s with the kernels in WGSL changes what it changes in float64",
  (yaml, name) => expectStep({ yaml }, name, { tuned: true }),
);
