// orepa bench: how long a training step and inference take here, and how much of the machine they use.

import { loadavg } from "node:os";
import { type Limit, openLimit } from "@orepa/tensor/wasm";
import { inferenceWorkload, type Measurement, measure, trainingWorkload, type WorkloadOptions } from "@orepa/yolo";
import { type Io, line } from "../io.ts";
import { greet, type ModeFunction } from "../mode.ts";
import { createModel, DEFAULT_MODEL, findModel } from "../models.ts";
import { placeOf } from "../modules.ts";
import { progressLine } from "../progress.ts";

const DEFAULT_SIDE = 320;
const DEFAULT_BATCH = 8;

/** Prints milliseconds, GFLOP/s and their part of the limit, and planned memory. */
export const bench: ModeFunction = async ({ settings, given }, io) => {
  const { repeats } = settings;
  const imgsz = Math.ceil((given.has("imgsz") ? settings.imgsz : DEFAULT_SIDE) / 32) * 32;
  const batch = given.has("batch") ? settings.batch : DEFAULT_BATCH;
  const { architecture, weights } = await findModel(
    settings.model ?? DEFAULT_MODEL,
    await placeOf(settings, io.cwd),
    settings.reparam,
  );
  const { name, device, threads, about } = await greet(io, settings);
  const classes = weights?.names.length;
  const options: WorkloadOptions = {
    createModel: () => createModel(architecture, classes === undefined ? {} : { nc: classes }),
    ...{ imgsz, batch, device },
  };
  const load = loadavg()[0]!;
  line(
    io,
    `${architecture.label}, ${imgsz} px, batch ${batch}, ${about}, ` +
      `median of ${repeats}, load average ${load.toFixed(2)}`,
  );
  const limit = await openLimit(threads);
  try {
    const run = { repeats, limit, io };
    // A deployed network cannot be trained.
    const step = architecture.fused ? null : await timed("training step", trainingWorkload(options), run);
    const inference = await timed("inference", inferenceWorkload(options), run);
    const figures = (measured: Measurement) => ({ ...measured, threads });
    return {
      json: {
        model: architecture.label,
        ...{ imgsz, batch, device: name, threads, repeats, load, node: process.version },
        step: step && figures(step),
        inference: figures(inference),
      },
    };
  } finally {
    await limit.close();
  }
};

/** Measures a workload, prints its line and gives back its memory. */
async function timed(
  name: string,
  workload: ReturnType<typeof trainingWorkload>,
  { repeats, limit, io }: { repeats: number; limit: Limit; io: Io },
): Promise<Measurement> {
  const progress = progressLine(io);
  try {
    const measured = await measure(workload, {
      repeats,
      limit: () => limit.measure(),
      now: io.now,
      onRun: (done, total) => progress.update(name, done, total),
    });
    progress.finish(describe(name, measured));
    return measured;
  } finally {
    workload.dispose();
  }
}

const MEBIBYTE = 2 ** 20;

/** `training step   489.1 ms (471.0 to 502.2)  38.9 GFLOP at 79.5 GFLOP/s, 88 % of the limit of 90.3; planned 410 MiB` */
function describe(name: string, m: Measurement): string {
  const time = `${m.ms.toFixed(1)} ms (${m.fastest.toFixed(1)} to ${m.slowest.toFixed(1)})`;
  const share = `${(100 * m.fraction).toFixed(0)} % of the limit of ${m.limit_gflops.toFixed(1)}`;
  const memory = `planned ${((m.planned_bytes + m.variable_bytes) / MEBIBYTE).toFixed(0)} MiB`;
  return `${name.padEnd(14)} ${time}  ${m.gflop.toFixed(2)} GFLOP at ${m.gflops.toFixed(1)} GFLOP/s, ${share}; ${memory}`;
}
