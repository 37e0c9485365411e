// Short trainings of every method with several seeds: the accuracy of the deployed networks, and how far it spreads.

import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { UserError } from "@orepa/yolo";
import { type Io, warn } from "../io.ts";
import { train } from "../modes/train.ts";
import { readSettings } from "../parse-args.ts";
import { METHODS, type MethodName } from "./methods.ts";

/** The result of one training. */
export interface AccuracyRow {
  readonly data: string;
  readonly method: MethodName;
  readonly seed: number;
  readonly map50: number;
  readonly map50_95: number;
}

/**
 * Trains from equal beginnings: the same seeds, pictures and settings for every method. Nothing stays on disk.
 * @returns the rows so far, and whether the user stopped it.
 */
export async function studyAccuracy(
  {
    data,
    methods,
    seeds,
    words,
    onTraining,
  }: {
    readonly data: readonly string[];
    readonly methods: readonly MethodName[];
    readonly seeds: number;
    /** Arguments of every training on some data. */
    readonly words: (data: string) => readonly string[];
    readonly onTraining: (done: number, total: number, what: string) => void;
  },
  io: Io,
): Promise<{ readonly rows: readonly AccuracyRow[]; readonly interrupted: boolean }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "orepa-study-"));
  const quiet: Io = { ...io, write: () => {}, isTerminal: false };
  const all = data.flatMap((name) =>
    Array.from({ length: seeds }, (_, seed) => methods.map((method) => ({ data: name, method, seed }))).flat(),
  );
  const rows: AccuracyRow[] = [];
  try {
    for (const one of all) {
      onTraining(rows.length, all.length, `${one.data}, ${one.method}, seed ${one.seed}`);
      const { reparam } = METHODS[one.method];
      const given = [`reparam=${reparam}`, `seed=${one.seed}`, `project=${folder}`, "plots=false", "verbose=false"];
      const command = readSettings("train", [...words(one.data), ...given]);
      const { json, interrupted } = await train(command, quiet).catch((error: unknown) => {
        // The first training shows whether the arguments fit; a later one that fails is a result.
        if (rows.length === 0 || !(error instanceof UserError)) throw error;
        warn(io, `${one.data}, ${one.method}, seed ${one.seed}: ${error.message}`);
        return { json: {}, interrupted: false };
      });
      if (interrupted) return { rows, interrupted };
      const { map50, map50_95 } = json as Partial<Record<"map50" | "map50_95", number | null>>; // as train returns it
      rows.push({ ...one, map50: map50 ?? Number.NaN, map50_95: map50_95 ?? Number.NaN });
    }
    onTraining(all.length, all.length, "done");
    return { rows, interrupted: false };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
