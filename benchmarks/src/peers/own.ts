// Our side of the comparisons: its programs, and a process of its own that runs one with vectors of 256 bits. They are a
// setting of a whole process, so engines that share ours would compute with them too.
import { fork } from "node:child_process";
import { once } from "node:events";
import { createSgd, groupParameters, parameters, valueAndGrad } from "@orepa/autograd";
import { add, compile, type DeviceSpec, mean, square, type Tensor } from "@orepa/tensor";
import { denseGflop } from "@orepa/yolo";
import type { Contestant } from "../rounds.ts";
import { createModel, deployedModel, pictures } from "./model.ts";

/** The training's learning rate. */
export const RATE = 0.05;

/** What is computed. */
export interface Workload {
  readonly imgsz: number;
  readonly batch: number;
  readonly device: DeviceSpec;
}
export interface Own<T> {
  /** Runs once. */
  run(): Promise<T>;
  /** 10^9 operations of a run. */
  gflop(): number;
}

/** The deployed network's output on the pictures. */
function inference({ imgsz, batch, device }: Workload): Own<Float32Array> {
  const [model, images] = [deployedModel(), pictures(batch, imgsz)];
  const program = compile((x: Tensor) => model.predict(x), { device });
  return {
    run: async () => (await program(images)).toTypedArray() as Float32Array, // the model is float32
    gflop: () => denseGflop(program.report()),
  };
}

/** A step of the training, and its loss. */
function training({ imgsz, batch, device }: Workload): Own<number> {
  const [model, images] = [createModel(), pictures(batch, imgsz)];
  const groups = groupParameters(model);
  const sgd = createSgd(groups, { nesterov: true });
  const program = compile(
    (x: Tensor) => {
      const { value: loss, grads } = valueAndGrad(
        () =>
          model
            .forward(x, "train")
            .maps.map((map) => mean(square(map)))
            .reduce((a, b) => add(a, b)),
        [...parameters(model)].filter(({ trainable }) => trainable),
      );
      sgd.update(grads, { learningRates: groups.map(() => RATE), momentum: 0.9, weightDecay: 0 });
      return loss;
    },
    { device },
  );
  return { run: async () => (await program(images)).item(), gflop: () => denseGflop(program.report()) };
}

interface Results {
  readonly inference: Float32Array;
  readonly training: number;
}
export type ProgramName = keyof Results;
export const programs: { readonly [P in ProgramName]: (workload: Workload) => Own<Results[P]> } = {
  inference,
  training,
};

/** What the process is asked for: a run's milliseconds, or its result, or GFLOP/s of the limit. */
export type Request = "time" | "result" | "limit";

/** Our side with vectors of 256 bits. */
export interface WideOwn<P extends ProgramName> {
  readonly time: Contestant;
  result(): Promise<Results[P]>;
  /** GFLOP/s that its vectors allow. */
  limit(): Promise<number>;
  close(): void;
}

/** Starts a program in a process of this Node. @throws Error if it ends by itself: earlier Nodes have no wide vectors. */
export async function startWide<P extends ProgramName>(
  program: P,
  { imgsz, batch, threads }: { imgsz: number; batch: number; threads: number },
): Promise<WideOwn<P>> {
  const args = [program, ...[imgsz, batch, threads].map(String)];
  const child = fork(new URL("wide-process.js", import.meta.url), args, { serialization: "advanced" });
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`--wide: expected its process to go on (Node 24 or later), got exit code ${code}`);
  });
  ended.catch(() => {}); // raced against below; after close() it means nothing
  const answer = async () => ((await Promise.race([once(child, "message"), ended])) as [unknown])[0];
  const ask = (request: Request) => {
    child.send(request);
    return answer();
  };
  await answer();
  return {
    time: async () => (await ask("time")) as number,
    result: async () => (await ask("result")) as Results[P],
    limit: async () => (await ask("limit")) as number,
    close: () => child.disconnect(),
  };
}
