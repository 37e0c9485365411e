// What the comparisons share: their arguments, and a contest that measures the limit between the rounds, prints a table and,
// with --json, one object.
import { parseArgs } from "node:util";
import { openLimit } from "@orepa/tensor/wasm";
import { machine } from "../machine.ts";
import { defaultDevice, type OpenDevice, openDevice, wholeNumber } from "../options.ts";
import { type Contestant, rounds, type Timing } from "../rounds.ts";
import { machineLine, table } from "../table.ts";

export interface PeerOptions {
  /** Ours. */
  readonly own: OpenDevice;
  readonly imgsz: number;
  readonly batch: number;
  readonly threads: number;
  /** Ours with vectors of 256 bits as well. */
  readonly wide: boolean;
  readonly count: number;
  /** The Python that has PyTorch. */
  readonly python: string;
  readonly json: boolean;
}

/** The options of the command line; prints the machine. @throws Error for one that cannot be. */
export function readOptions(): PeerOptions {
  const { values } = parseArgs({
    options: {
      device: { type: "string", default: defaultDevice },
      imgsz: { type: "string", default: "320" },
      batch: { type: "string", default: "8" },
      threads: { type: "string", default: "2" },
      wide: { type: "boolean", default: false },
      rounds: { type: "string", default: "9" },
      python: { type: "string", default: "/usr/bin/python3" },
      json: { type: "boolean", default: false },
    },
  });
  console.log(machineLine(machine()));
  const threads = wholeNumber("threads", values.threads);
  return {
    own: openDevice(values.device, threads),
    threads,
    imgsz: wholeNumber("imgsz", values.imgsz),
    batch: wholeNumber("batch", values.batch),
    count: wholeNumber("rounds", values.rounds),
    ...{ wide: values.wide, python: values.python, json: values.json },
  };
}

export interface Contest {
  /** What is done. */
  readonly title: string;
  /** Ours first: the others are compared with it. */
  readonly contestants: Readonly<Record<string, Contestant>>;
  /** 10^9 operations of a run. */
  readonly gflop: () => number;
  /** GFLOP/s that vectors of 256 bits allow, measured anew. */
  readonly wideLimit?: (() => Promise<number>) | undefined;
}

/** Runs a contest and prints it. */
export async function compete(
  { title, contestants, gflop: cost, wideLimit }: Contest,
  options: PeerOptions,
): Promise<void> {
  const before = machine();
  const { own: device, imgsz, batch, threads, count, json } = options;
  const limit = await openLimit(threads);
  const limits: number[] = [];
  const wideLimits: number[] = [];
  const measureLimit = async () => {
    limits.push(await limit.measure());
    if (wideLimit) wideLimits.push(await wideLimit());
    return 0;
  };
  const { limit: _, ...timings } = await rounds<string>({ ...contestants, limit: measureLimit }, count);
  await limit.close();
  const [limitRate, wideRate] = [limits, wideLimits].map((rates) => rates.sort((a, b) => a - b)[rates.length >> 1]);
  const gflop = cost();
  const heading = `${title}, ${imgsz} px, batch ${batch}, ${threads} threads, median of ${count}`;
  const wider = wideRate === undefined ? "" : `, of 256 bits ${wideRate.toFixed(1)}`;
  console.log(`${heading}; limit of vectors of 128 bits ${limitRate!.toFixed(1)} GFLOP/s${wider}`);
  const row = table(["engine", "ms", "fastest", "slowest", "GFLOP/s", "x ours"], [38, 8, 8, 8, 8, 7]);
  const [own] = Object.values(timings);
  const results = Object.entries<Timing>(timings).map(([engine, { ms, fastest, slowest }]) => {
    const gflops = (gflop / ms) * 1e3;
    row([engine, ...[ms, fastest, slowest, gflops].map((x) => x.toFixed(1)), (ms / own!.ms).toFixed(2)]);
    return { engine, ms, fastest, slowest, gflops };
  });
  const after = machine();
  console.log(`load average at the end ${after.load.toFixed(2)}`);
  if (json)
    console.log(
      JSON.stringify({
        ...{
          title,
          machine: before,
          loadAfter: after.load,
          device: device.label,
          imgsz,
          batch,
          threads,
          rounds: count,
        },
        ...{ gflop, limit_gflops: limitRate, wide_limit_gflops: wideRate, results },
      }),
    );
}
