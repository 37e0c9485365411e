// The validation block of the console.

import type { ClassRow, Speeds, ValidationResult } from "@orepa/yolo";
import { type Io, line } from "./io.ts";
import { significant, VAL_HEADER } from "./progress.ts";

/** Prints the row of all classes, and with `perClass` a row for each class when there are several. */
export function printValidation(io: Io, result: ValidationResult, { perClass }: { perClass: boolean }): void {
  line(io, VAL_HEADER);
  line(io, metricsRow(result.all));
  if (perClass && result.classes.length > 1) for (const row of result.classes) line(io, metricsRow(row));
}

/** `Speed: 0.1ms preprocess, ...` */
export const speedLine = (speed: Speeds): string => {
  const parts = (["preprocess", "inference", "postprocess"] as const).map(
    (name) => `${speed[name].toFixed(1)}ms ${name}`,
  );
  return `Speed: ${parts.join(", ")} per image`;
};

function metricsRow({ name, images, instances, precision, recall, map50, map }: ClassRow): string {
  const cells = [
    images,
    instances,
    ...[precision, recall, map50, map].map((value) => significant(Number(value.toFixed(4)))),
  ];
  return name.padStart(22) + cells.map((cell) => String(cell).padStart(11)).join("");
}
