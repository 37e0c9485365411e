// What is timed: a whole training step as the trainer takes it, and the inference of the deployed network, on pictures and
// boxes drawn by seed.
import { emaDecay, loadStateDict, stateDict } from "@orepa/autograd";
import { compile, type DeviceSpec, Generator, type Report, rand, type Tensor } from "@orepa/tensor";
import type { DetectModel } from "../model/detect-model.ts";
import { fuse } from "../model/fuse.ts";
import { defaultTrainArgs } from "../train/args.ts";
import { requireFit } from "../train/fit.ts";
import { createStep } from "../train/step.ts";

/** What a workload is made of. */
export interface WorkloadOptions {
  /** A model with its first values; every call gives equal ones. */
  readonly createModel: () => DetectModel;
  /** Side of the pictures, a multiple of the largest stride. */
  readonly imgsz: number;
  readonly batch: number;
  readonly device: DeviceSpec;
  readonly seed?: number;
}

/** Something to time again and again; the same work at every run. */
export interface Workload {
  /** Runs once. @throws Error if what comes out is not finite. */
  run(): Promise<void>;
  /** Cost of the program. @throws OpError before the first run. */
  report(): Report;
  dispose(): void;
}

/** Boxes on every picture. */
const BOXES = 8;
/** Sides of the boxes, as fractions of the picture's. */
const [SMALLEST, LARGEST] = [0.05, 0.4];

/**
 * Forward, loss, backward, clipping, SGD and the average of the weights, in one program. Learning rates are 0, so that the weights,
 * and with them the assigned boxes, stay the same from run to run.
 * Throws a UserError that names the largest batch that fits, if this one does not.
 */
export function trainingWorkload({ createModel, imgsz, batch, device, seed = 0 }: WorkloadOptions): Workload {
  const [model, average] = [createModel(), createModel()];
  loadStateDict(average, stateDict(model));
  const { box, cls, dfl, momentum, weight_decay: weightDecay, warmup_bias_lr: warmupBiasLr } = defaultTrainArgs;
  const step = createStep({
    ...{ model, average, device, gains: { box, cls, dfl }, accumulates: false },
    optimizer: { name: "SGD", lr: 0, momentum, warmupBiasLr, weightDecay },
  });
  requireFit({
    ...{ batch, imgsz },
    prepare: (count) => step.prepare({ shape: [count, 3, imgsz, imgsz], targetShape: [count, BOXES, 5] }),
    release: step.dispose,
  });
  const generator = new Generator(`boxes ${seed}`);
  const data = {
    images: pictures({ imgsz, batch, seed }).toTypedArray() as Float32Array, // rand makes float32
    shape: [batch, 3, imgsz, imgsz] as const,
    targets: Float32Array.from(Array.from({ length: batch * BOXES }, () => target(generator, model.nc)).flat()),
    targetShape: [batch, BOXES, 5] as const,
  };
  return {
    run: async () => {
      const { total } = await step.run(data, { lr: [0, 0, 0], momentum, apply: true, emaDecay: emaDecay(1) });
      if (!Number.isFinite(total)) throw new Error(`training step: expected a finite loss, got ${total}`);
    },
    report: step.report,
    dispose: step.dispose,
  };
}

/** Decoded boxes and class probabilities of the network as it is deployed: every block merged into a plain convolution. */
export function inferenceWorkload({ createModel, imgsz, batch, device, seed = 0 }: WorkloadOptions): Workload {
  const original = createModel();
  const side = 2 * Math.max(...original.strides);
  const { model } = fuse(original, { probe: pictures({ imgsz: side, batch: 1, seed }) });
  const infer = compile((images: Tensor) => model.predict(images), { device });
  requireFit({
    ...{ batch, imgsz },
    prepare: (count) => infer.prepare({ shape: [count, 3, imgsz, imgsz], dtype: "float32" }),
    release: infer.dispose,
  });
  const images = pictures({ imgsz, batch, seed });
  return {
    run: async () => {
      const first = (await infer(images)).toTypedArray()[0]!;
      if (!Number.isFinite(first)) throw new Error(`inference: expected finite boxes, got ${first}`);
    },
    report: () => infer.report(),
    dispose: infer.dispose,
  };
}

const pictures = ({ imgsz, batch, seed }: { imgsz: number; batch: number; seed: number }): Tensor =>
  rand([batch, 3, imgsz, imgsz], { generator: new Generator(`pictures ${seed}`) });

/** Class, centre and sides of a box that lies inside the picture. */
function target(generator: Generator, classes: number): number[] {
  const side = () => SMALLEST + (LARGEST - SMALLEST) * generator.uniform();
  const [w, h] = [side(), side()];
  const centre = (size: number) => size / 2 + (1 - size) * generator.uniform();
  return [generator.integer(classes), centre(w), centre(h), w, h];
}
