// Times workloads in turns with the machine's limit, so that a slow moment of the machine meets both.
import type { PrimitiveName, Report } from "@orepa/tensor";
import type { Workload } from "./workload.ts";

/** How long a workload takes and how much of the machine it uses. */
export interface Measurement {
  /** Milliseconds of one run: the median, the shortest and the longest. */
  readonly ms: number;
  readonly fastest: number;
  readonly slowest: number;
  /** 10^9 operations of one run in convolutions and matrix products, two for every multiply-add of the direct method. */
  readonly gflop: number;
  /** `gflop` a second. */
  readonly gflops: number;
  /** GFLOP/s of multiply-adds in registers alone, measured between the runs. */
  readonly limit_gflops: number;
  /** `gflops / limit_gflops`. */
  readonly fraction: number;
  /** Bytes that the device planned to take (where it does not plan: of values alive at once at most), and bytes of Variables. */
  readonly planned_bytes: number;
  readonly variable_bytes: number;
}

/** How a workload is measured. */
export interface MeasureOptions {
  readonly repeats: number;
  /** The machine's limit in GFLOP/s on as many threads as the workload uses. */
  readonly limit: () => Promise<number>;
  /** Milliseconds since any moment. */
  readonly now?: () => number;
  /** Called after every run, with 0 done while the first ones are thrown away. */
  readonly onRun?: (done: number, total: number) => void;
}

/**
 * The first run compiles; over the next dozen the engine's optimizing compiler takes over one kernel after the other. Slow
 * workloads do not wait for the last of them.
 */
const WARM_RUNS = { least: 2, most: 12, ms: 10_000 };
const counted: ReadonlySet<PrimitiveName> = new Set(["conv2d", "convInput", "convWeight", "matmul"]);

/** Runs a workload `repeats` times after warming up; the limit is measured before every run. */
export async function measure(
  workload: Workload,
  { repeats, limit, now = () => performance.now(), onRun }: MeasureOptions,
): Promise<Measurement> {
  const times: number[] = [];
  const limits: number[] = [];
  const begin = now();
  for (let i = 0; i < WARM_RUNS.most && (i < WARM_RUNS.least || now() - begin < WARM_RUNS.ms); i++) {
    await workload.run();
    onRun?.(0, repeats);
  }
  for (let i = 0; i < repeats; i++) {
    limits.push(await limit());
    const start = now();
    await workload.run();
    times.push(now() - start);
    onRun?.(i + 1, repeats);
  }
  const report = workload.report();
  const gflop = denseGflop(report);
  const [ms, limitRate] = [median(times), median(limits)];
  const gflops = (gflop / ms) * 1e3;
  return {
    ...{ ms, fastest: Math.min(...times), slowest: Math.max(...times), gflop, gflops },
    ...{ limit_gflops: limitRate, fraction: gflops / limitRate },
    planned_bytes: report.planned ? report.planned.arena + report.planned.program : report.peakBytes,
    variable_bytes: report.variableBytes,
  };
}

/** 10^9 operations of a program in convolutions and matrix products, two for every multiply-add of the direct method. */
export const denseGflop = ({ equations }: Report): number =>
  equations.reduce((sum, { name, flops }) => sum + (counted.has(name) ? flops : 0), 0) / 1e9;

/** The middle value; of an even number of values the mean of the two in the middle. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
