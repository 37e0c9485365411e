// YOLO11n's training step and inference on WebGPU, with its own kernels and with gpu.js's alone, against device wasm on the same
// machine and PyTorch on CUDA where it is there. On an adapter of software it runs as well, and its figures mean nothing.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { initialize, stateDict, writeSafetensors } from "@orepa/autograd";
import { createGpu, createWasm, gpuStatus, type Report } from "@orepa/tensor";
import { buildModel, denseGflop, inferenceWorkload, modelYaml, trainingWorkload, type Workload } from "@orepa/yolo";
import { machine } from "./machine.ts";
import { wholeNumber, wholeNumbers } from "./options.ts";
import { createModel as peerModel, pictures } from "./peers/model.ts";
import { startTorch, type Torch } from "./peers/torch.ts";
import { type Contestant, rounds, timed } from "./rounds.ts";
import { machineLine, table } from "./table.ts";

const CLASSES = 80;
/** PyTorch's learning rate; its steps change the weights, which changes no time. */
const RATE = 0;
/** Kinds of launches that are listed by their share of a step. */
const LISTED = 12;
const workloads = { step: trainingWorkload, inference: inferenceWorkload } as const;

const status = await gpuStatus("gpu:webgpu");
if (!status.works) {
  console.log(`no WebGPU: ${status.about}${status.fix === undefined ? "" : ` (to have it: ${status.fix})`}`);
  process.exit(1);
}
const { hardware } = status;
const { values } = parseArgs({
  options: {
    imgsz: { type: "string", default: hardware ? "320,640" : "64" },
    batch: { type: "string", default: hardware ? "8,16" : "1" },
    rounds: { type: "string", default: hardware ? "9" : "2" },
    warm: { type: "string", default: hardware ? "12" : "1" },
    threads: { type: "string", default: "2" },
    python: { type: "string", default: "/usr/bin/python3" },
  },
});
const [count, warm, threads] = (["rounds", "warm", "threads"] as const).map((name) => wholeNumber(name, values[name]));
const createModel = () => {
  const { text, scale } = modelYaml("yolo11n.yaml");
  const model = buildModel(text, { scale, nc: CLASSES });
  initialize(model, 0);
  return model;
};
console.log(machineLine(machine()));
const disclaimer = "an adapter of software: these figures say nothing about a graphics card";
console.log(`WebGPU: ${status.about}${hardware ? "" : `: ${disclaimer}`}`);

await launches(); // first: the device is asked for once, and with a clock
const devices = {
  webgpu: createGpu("gpu:webgpu", { tuned: true }),
  "webgpu, gpu.js's kernels": createGpu("gpu:webgpu", { tuned: false }),
  [`wasm, ${threads} threads`]: createWasm({ threads: threads! }),
};
const cuda = await hasCuda();
const heading = table(
  ["program", "px", "batch", "on", "ms", "fastest", "slowest", "GFLOP/s", "x first"],
  [9, 4, 5, 28, 9, 9, 9, 9, 7],
);
for (const imgsz of wholeNumbers("imgsz", values.imgsz))
  for (const batch of wholeNumbers("batch", values.batch))
    for (const program of ["step", "inference"] as const) {
      const made: Record<string, Workload> = {};
      for (const [name, device] of Object.entries(devices))
        made[name] = workloads[program]({ createModel, imgsz, batch, device });
      const torch = program === "step" && cuda ? await openTorch(imgsz, batch) : undefined;
      const contestants: Record<string, Contestant> = Object.fromEntries(
        Object.entries(made).map(([name, { run }]) => [name, timed(run)]),
      );
      if (torch) contestants["PyTorch, CUDA, no box loss"] = async () => (await torch.torch.step("channels_last")).ms;
      const timings = await rounds(contestants, count!, warm);
      const [first] = Object.values(timings);
      const gflop = denseGflop(Object.values(made)[0]!.report());
      for (const [name, { ms, fastest, slowest }] of Object.entries(timings))
        heading([
          ...[program, `${imgsz}`, `${batch}`, name, ms.toFixed(1), fastest.toFixed(1), slowest.toFixed(1)],
          ...[((gflop / ms) * 1e3).toFixed(1), (ms / first!.ms).toFixed(2)],
        ]);
      for (const workload of Object.values(made)) workload.dispose();
      await torch?.close();
    }
for (const device of Object.values(devices)) await device.dispose();
if (!hardware) console.log(disclaimer);
process.exit(0); // the adapter's threads stay behind

/** What the launches of a step take by the device's own clock, for the first size. */
async function launches(): Promise<void> {
  const [imgsz, batch] = [wholeNumbers("imgsz", values.imgsz)[0]!, wholeNumbers("batch", values.batch)[0]!];
  for (const tuned of [true, false]) {
    const device = createGpu("gpu:webgpu", { tuned, profile: true });
    const workload = trainingWorkload({ createModel, imgsz, batch, device });
    await workload.run();
    const cold = sums(workload.report());
    await workload.run();
    const list = sums(workload.report())
      .map(({ ms, ...kind }, i) => ({ ...kind, ms: ms - (cold[i]?.ms ?? 0) }))
      .sort((a, b) => b.ms - a.ms);
    workload.dispose();
    await device.dispose();
    if (list.length === 0) {
      console.log("the time of single launches is not known: no timestamp queries");
      return;
    }
    const total = list.reduce((sum, { ms }) => sum + ms, 0);
    console.log(
      `launches of a step, ${imgsz} px, batch ${batch}, tuned ${tuned}: ${total.toFixed(2)} ms on the device`,
    );
    for (const { name, ms } of list.slice(0, LISTED))
      console.log(
        `  ${name.padEnd(28)} ${ms.toFixed(2).padStart(9)} ms  ${((100 * ms) / total).toFixed(1).padStart(5)} %`,
      );
  }
}
/** Milliseconds by name of kernel, in the order in which they first run. */
function sums({ timings = [] }: Report): { name: string; ms: number }[] {
  const all = new Map<string, number>();
  for (const { step, name, ms } of timings) {
    const key = `${name}${step === "tuned" ? " (WGSL)" : ""}`;
    all.set(key, (all.get(key) ?? 0) + ms);
  }
  return [...all].map(([name, ms]) => ({ name, ms }));
}
async function hasCuda(): Promise<boolean> {
  const code = "import torch, sys; sys.exit(0 if torch.cuda.is_available() else 1)";
  return promisify(execFile)(values.python, ["-c", code]).then(
    () => true,
    () => false,
  );
}
async function openTorch(imgsz: number, batch: number): Promise<{ torch: Torch; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "orepa-gpu-"));
  const [weights, images] = [join(folder, "weights.safetensors"), join(folder, "images.safetensors")];
  await writeFile(weights, writeSafetensors(stateDict(peerModel()), {}));
  await writeFile(images, writeSafetensors(new Map([["images", pictures(batch, imgsz)]]), {}));
  const torch = await startTorch(values.python, [weights, images, `${threads}`, `${RATE}`, "cuda"]);
  return {
    torch,
    close: async () => {
      torch.close();
      await rm(folder, { recursive: true });
    },
  };
}
