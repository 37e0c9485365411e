// Merging: every block becomes one convolution, and both networks look at the same digits.
import { deployModel } from "@orepa/orepa";
import { compile, type DeviceName, Generator, type Tensor } from "@orepa/tensor";
import { drawDigits, SIDE } from "./digits.ts";
import { copyNet, type DigitNet } from "./net.ts";

export interface Merged {
  readonly parameters: { readonly before: number; readonly after: number };
  readonly flops: { readonly before: number; readonly after: number };
  /** Milliseconds for the pictures. */
  readonly time: { readonly before: number; readonly after: number };
  /** The largest difference of a logit, as part of the largest logit. */
  readonly deviation: number;
  /** Digits that both take for the same. */
  readonly same: number;
  readonly pictures: number;
}
const PICTURES = 64;
/** Timed in turns, the median counts. */
const ROUNDS = 7;

export async function merge(net: DigitNet, device: DeviceName): Promise<Merged> {
  const merged = copyNet(net);
  const { report } = deployModel(merged, { inputShape: [1, 1, SIDE, SIDE] });
  const { pictures } = drawDigits(PICTURES, new Generator("digits to compare on"));
  using trained = compile((x: Tensor) => net.forward(x, "eval"), { device });
  using plain = compile((x: Tensor) => merged.forward(x, "eval"), { device });
  const [a, b] = [await trained(pictures), await plain(pictures)].map((t) => t.toArray() as number[][]);
  const time = { before: [] as number[], after: [] as number[] };
  for (let i = 0; i < ROUNDS; i++) {
    time.before.push(await timed(() => trained(pictures)));
    time.after.push(await timed(() => plain(pictures)));
  }
  const largest = Math.max(...a!.flat().map(Math.abs));
  const difference = Math.max(...a!.flatMap((row, i) => row.map((value, k) => Math.abs(value - b![i]![k]!))));
  const best = (row: readonly number[]) => row.indexOf(Math.max(...row));
  return {
    ...{ parameters: report.parameters, flops: report.flops, pictures: PICTURES },
    time: { before: median(time.before), after: median(time.after) },
    deviation: difference / largest,
    same: a!.filter((row, i) => best(row) === best(b![i]!)).length,
  };
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
