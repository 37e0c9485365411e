// YOLO11n inference, ours and onnxruntime's: the fused network with decoded boxes, exported from our program, outputs
// compared before anything is timed.
import { parseArgs } from "node:util";
import { compile, type Tensor, trace } from "@orepa/tensor";
import { openLimit } from "@orepa/tensor/wasm";
import { fuse } from "@orepa/yolo";
import { machine } from "../machine.ts";
import { exportOnnx } from "../onnx/export.ts";
import { defaultDevice, deviceOption, wholeNumber } from "../options.ts";
import { type Contestant, rounds, timed } from "../rounds.ts";
import { machineLine, table } from "../table.ts";
import { loadPeer, type OnnxRuntime } from "./load.ts";
import { calibratedModel, pictures } from "./model.ts";

const { values } = parseArgs({
  options: {
    device: { type: "string", default: defaultDevice },
    imgsz: { type: "string", default: "320" },
    batch: { type: "string", default: "8" },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "9" },
    json: { type: "boolean", default: false },
  },
});
const device = deviceOption(values.device);
const [imgsz, batch] = [wholeNumber("imgsz", values.imgsz), wholeNumber("batch", values.batch)];
const [threads, count] = [wholeNumber("threads", values.threads), wholeNumber("rounds", values.rounds)];
/** Largest difference allowed, of a probability or of a box as a part of the picture's side. */
const TOLERANCE = 1e-3;
const BOX_ROWS = 4;

const before = machine();
console.log(machineLine(before));
const images = pictures(batch, imgsz);
const { model } = fuse(calibratedModel(), { probe: pictures(1, 64) });
const predict = (x: Tensor) => model.predict(x);
const file = exportOnnx(trace(predict, [images]).program);

const ours = compile(predict, { device });
const expected = await ours(images);
const values32 = expected.toTypedArray() as Float32Array; // the model is float32

/** A session of an engine, checked. */
async function contestant(name: "onnxruntime-node" | "onnxruntime-web"): Promise<Contestant> {
  const ort = loadPeer<OnnxRuntime>(name);
  const web = name === "onnxruntime-web";
  if (web) ort.env.wasm.numThreads = threads;
  const session = await ort.InferenceSession.create(file, {
    executionProviders: [web ? "wasm" : "cpu"],
    graphOptimizationLevel: "all",
    ...(web ? {} : { intraOpNumThreads: threads, interOpNumThreads: 1 }),
  });
  const feed = { x0: new ort.Tensor("float32", images.toTypedArray() as Float32Array, images.shape) };
  const { y0 } = await session.run(feed);
  check(name, y0!.data);
  return timed(() => session.run(feed));
}

/** @throws Error if the outputs differ by more than the tolerance. */
function check(name: string, got: Float32Array): void {
  const [, rows, anchors] = expected.shape as [number, number, number];
  let [largest, at] = [0, 0];
  values32.forEach((v, i) => {
    const isBox = Math.floor(i / anchors) % rows < BOX_ROWS;
    const difference = Math.abs(v - got[i]!) / (isBox ? imgsz : 1);
    if (!(difference <= largest)) [largest, at] = [difference, i];
  });
  if (!(largest <= TOLERANCE) || got.length !== values32.length)
    throw new Error(`${name}: expected ${values32[at]} at ${at} of ${values32.length}, got ${got[at]}`);
  console.log(`${name} agrees: largest difference ${largest.toExponential(1)}`);
}

const limit = await openLimit(threads);
const limits: number[] = [];
const timings = await rounds(
  {
    [`orepa (${device})`]: timed(() => ours(images)),
    "onnxruntime-node": await contestant("onnxruntime-node"),
    "onnxruntime-web": await contestant("onnxruntime-web"),
    limit: async () => {
      limits.push(await limit.measure());
      return 0;
    },
  },
  count,
);
await limit.close();
const rate = limits.sort((a, b) => a - b)[limits.length >> 1]!;
const gflop =
  ours
    .report()
    .equations.reduce((sum, { name, flops }) => sum + (name === "conv2d" || name === "matmul" ? flops : 0), 0) / 1e9;

console.log(
  `YOLO11n inference, ${imgsz} px, batch ${batch}, ${threads} threads, median of ${count}; limit ${rate.toFixed(1)} GFLOP/s`,
);
const row = table(["engine", "ms", "fastest", "slowest", "GFLOP/s", "x ours"], [20, 8, 8, 8, 8, 7]);
const { limit: _, ...engines } = timings;
const [own] = Object.values(engines);
const results = Object.entries(engines).map(([engine, { ms, fastest, slowest }]) => {
  const gflops = (gflop / ms) * 1e3;
  row([engine, ...[ms, fastest, slowest, gflops].map((x) => x.toFixed(1)), (ms / own!.ms).toFixed(2)]);
  return { engine, ms, fastest, slowest, gflops };
});
if (values.json)
  console.log(
    JSON.stringify({
      ...{ machine: before, loadAfter: machine().load, device, imgsz, batch, threads, rounds: count },
      ...{ gflop, limit_gflops: rate, results },
    }),
  );
process.exit(0); // threads of the peers stay behind
