// How the time of a program grows: with threads (ideal: their number), with the batch and with the area (ideal: 1).
import type { Measurement } from "@orepa/yolo";
import { table } from "./table.ts";

export interface Row extends Measurement {
  readonly program: "step" | "inference";
  readonly imgsz: number;
  readonly batch: number;
  readonly threads: number;
}

/** Prints each row's milliseconds a picture, and its growth against the row with one thread, the batch or side before. */
export function printScaling(rows: readonly Row[]): void {
  console.log(
    "scaling: speed on more threads; time a picture against the smaller batch; time a pixel against the smaller side",
  );
  const print = table(
    ["program", "px", "batch", "threads", "ms/picture", "x threads", "x batch", "x side"],
    [9, 4, 5, 7, 10, 9, 8, 8],
  );
  for (const row of rows) {
    const same = (...keys: readonly ("imgsz" | "batch" | "threads")[]) =>
      rows.filter((other) => other.program === row.program && keys.every((key) => other[key] === row[key]));
    const smaller = (key: "imgsz" | "batch", others: readonly Row[]) =>
      others.filter((other) => other[key] < row[key]).sort((a, b) => b[key] - a[key])[0];
    const single = same("imgsz", "batch").find(({ threads }) => threads === 1);
    const batch = smaller("batch", same("imgsz", "threads"));
    const side = smaller("imgsz", same("batch", "threads"));
    print([
      ...[row.program, `${row.imgsz}`, `${row.batch}`, `${row.threads}`, perPicture(row).toFixed(1)],
      ratio(single && row.threads > 1 ? single.ms / row.ms : undefined),
      ratio(batch && perPicture(row) / perPicture(batch)),
      ratio(side && row.ms / row.imgsz ** 2 / (side.ms / side.imgsz ** 2)),
    ]);
  }
}
const perPicture = ({ ms, batch }: Row): number => ms / batch;
const ratio = (value: number | undefined): string => (value === undefined ? "" : value.toFixed(2));
