// YOLO11n inference, ours and onnxruntime's: the fused network with decoded boxes, exported from our program, outputs
// compared before anything is timed.
import { compile, type Tensor, trace } from "@orepa/tensor";
import { denseGflop, fuse } from "@orepa/yolo";
import { exportOnnx } from "../onnx/export.ts";
import { type Contestant, timed } from "../rounds.ts";
import { compete, readOptions } from "./compete.ts";
import { loadPeer, type OnnxRuntime } from "./load.ts";
import { calibratedModel, pictures } from "./model.ts";

const options = readOptions();
const { device, imgsz, batch, threads } = options;
/** Largest difference allowed, of a probability or of a box as a part of the picture's side. */
const TOLERANCE = 1e-3;
const BOX_ROWS = 4;

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

await compete(
  {
    title: "YOLO11n inference",
    contestants: {
      [`orepa (${device})`]: timed(() => ours(images)),
      "onnxruntime-node": await contestant("onnxruntime-node"),
      "onnxruntime-web": await contestant("onnxruntime-web"),
    },
    gflop: () => denseGflop(ours.report()),
  },
  options,
);
process.exit(0); // threads of the peers stay behind
