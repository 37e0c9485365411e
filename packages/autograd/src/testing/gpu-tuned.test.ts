// The kernels in WGSL, where the package `webgpu` and an adapter are there.
import { gpuStatus } from "@orepa/tensor";
import { test } from "vitest";
import { describeTuned } from "./gpu-tuned.cases.ts";

const { works, about } = await gpuStatus("gpu:webgpu");
if (works) describeTuned();
else test.skip(`gpu:webgpu is not there: ${about}`, () => undefined);
