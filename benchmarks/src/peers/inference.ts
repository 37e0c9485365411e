// YOLO11n inference, ours and onnxruntime's: the fused network with decoded boxes, exported from our program, outputs
// compared before anything is timed.
import { toDtype } from "@orepa/autograd";
import { cast, compile, type Tensor, trace } from "@orepa/tensor";
import { exportOnnx } from "../onnx/export.ts";
import { type Contestant, timed } from "../rounds.ts";
import { compete, readOptions } from "./compete.ts";
import { loadPeer, type OnnxRuntime } from "./load.ts";
import { deployedModel, pictures } from "./model.ts";
import { programs, startWide } from "./own.ts";

const options = readOptions();
const wide = options.wide ? await startWide("inference", options) : undefined;
const { own, imgsz, batch, threads } = options;
/**
 * Difference allowed, root mean square, of probabilities and of boxes as parts of the picture's side: some thousand roundings
 * of float32, which is what a network of random weights makes of one.
 */
const TOLERANCE = 1e-4;
const BOX_ROWS = 4;

const images = pictures(batch, imgsz);
const [model, precise] = [deployedModel(), toDtype(deployedModel(), "float64")];
const file = exportOnnx(trace((x: Tensor) => model.predict(x), [images]).program);

const ours = programs.inference({ imgsz, batch, device: own.device });
/** In float64: engines of float32 differ from it by roundings that a network of random weights amplifies. */
const reference = compile((x: Tensor) => precise.predict(x), { device: "cpu" });
const expected = await reference(cast(images, "float64"));
const exact = expected.toTypedArray() as Float64Array;
check("orepa", await ours.run());
if (wide) check("orepa, wide", await wide.result());

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
  let squares = 0;
  exact.forEach((v, i) => {
    const isBox = Math.floor(i / anchors) % rows < BOX_ROWS;
    squares += ((v - got[i]!) / (isBox ? imgsz : 1)) ** 2;
  });
  const difference = Math.sqrt(squares / exact.length);
  if (!(difference <= TOLERANCE) || got.length !== exact.length)
    throw new Error(`${name}: expected outputs within ${TOLERANCE} of the exact ones, got ${difference}`);
  console.log(`${name} agrees: differs by ${difference.toExponential(1)} from the result in float64`);
}

await compete(
  {
    title: "YOLO11n inference",
    contestants: {
      [`orepa (${own.label})`]: timed(ours.run),
      ...(wide && { [`orepa (${own.label}, wide)`]: wide.time }),
      "onnxruntime-node": await contestant("onnxruntime-node"),
      "onnxruntime-web": await contestant("onnxruntime-web"),
    },
    ...{ gflop: ours.gflop, wideLimit: wide?.limit },
  },
  options,
);
process.exit(0); // threads of the peers stay behind
