// What a training says on the console while it runs.

import type { TrainEvent, ValidationResult } from "@orepa/yolo";
import { type Io, line } from "./io.ts";
import { epochColumns, type ProgressLine, progressLine, significant, TRAIN_HEADER } from "./progress.ts";
import { printValidation } from "./validation-table.ts";

/** A listener for the events of a training. */
export type TrainReport = (event: TrainEvent) => void;

/** On a terminal a live line and a validation block for each epoch; elsewhere one line for each epoch. */
export function trainReport(
  io: Io,
  { imgsz, epochs, folder }: { imgsz: number; epochs: number; folder: string },
): TrainReport {
  let progress: ProgressLine | null = null;
  let columns = "";
  let validation: ValidationResult | null = null;
  const keep = (): void => {
    progress?.keep();
    progress = null;
  };
  return (event) => {
    switch (event.type) {
      case "start": {
        const { name, lr, momentum, weightDecay } = event.optimizer;
        const [biases, weights, norms] = event.groups;
        line(
          io,
          `optimizer: ${name}(lr=${lr}, momentum=${momentum}) with parameter groups ` +
            `${norms} weight(decay=0.0), ${weights} weight(decay=${significant(weightDecay)}), ${biases} bias(decay=0.0)`,
        );
        if (event.frozen.length > 0)
          line(
            io,
            `frozen: ${event.frozen[0]}${event.frozen.length > 1 ? ` and ${event.frozen.length - 1} more` : ""}`,
          );
        line(
          io,
          `Image sizes ${imgsz} train, ${imgsz} val; ${event.trainImages} train pictures, ${event.valImages} val pictures`,
        );
        line(io, `Results go to ${folder}`);
        const from =
          event.epoch > 0 || event.batch > 0 ? ` from epoch ${event.epoch + 1}, batch ${event.batch + 1}` : "";
        line(io, `Training for ${epochs} epochs of ${event.batches} batches${from} ...`);
        if (!io.isTerminal)
          line(io, TRAIN_HEADER + ["P", "R", "mAP50", "mAP50-95", "seconds"].map((cell) => cell.padStart(11)).join(""));
        return;
      }
      case "epoch-start":
        validation = null;
        if (io.isTerminal) line(io, `\n${TRAIN_HEADER}`);
        progress = progressLine(io);
        return;
      case "batch":
        columns = epochColumns({ ...event, epoch: event.epoch + 1, epochs });
        progress?.update(columns, event.batch + 1, event.batches);
        if (event.batch + 1 === event.batches) keep();
        return;
      case "validation-batch":
        progress ??= progressLine(io);
        progress.update("validating".padStart(22), event.batch + 1, event.batches);
        return;
      case "validation":
        validation = event.result;
        progress?.clear();
        progress = null;
        if (io.isTerminal) printValidation(io, event.result, { perClass: false });
        return;
      case "epoch-end": {
        if (io.isTerminal) return;
        const cells =
          validation === null
            ? ["-", "-", "-", "-"]
            : event.row.metrics.map((value) => significant(Number(value.toFixed(4))));
        line(io, columns + [...cells, event.seconds.toFixed(1)].map((cell) => cell.padStart(11)).join(""));
        return;
      }
      case "checkpoint":
        if (event.interrupted) keep();
        return;
      default:
        event satisfies never;
    }
  };
}
