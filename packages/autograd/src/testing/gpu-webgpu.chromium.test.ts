// Every case of every primitive and composed op on a browser's WebGPU.
import { describeParity } from "./gpu-parity.cases.ts";

describeParity("gpu:webgpu");
