// The kernels in WGSL on a browser's WebGPU.
import { describeTuned } from "./gpu-tuned.cases.ts";

describeTuned();
