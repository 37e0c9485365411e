// From windows along two axes to the plain numbers of a step: where windows start, and what lies in them.

import type { MapSteps } from "../plan/place.ts";
import type { Axis } from "../windows.ts";
import type { Positions } from "./positions.ts";

/** The places of a window that slides over `source`, and its results in `target`. */
export function positionsOf(
  images: number,
  [rows, columns]: readonly [Axis, Axis],
  source: MapSteps,
  target: MapSteps,
): Positions {
  const steps = (map: MapSteps, end: "from" | "to"): MapSteps => {
    const [row, column] = [progression(rows, end), progression(columns, end)];
    return {
      at: map.at + row.first * map.row + column.first * map.pixel,
      pixel: column.next * map.pixel,
      row: row.next * map.row,
      image: map.image,
    };
  };
  return {
    images,
    rows: rows.places.length,
    columns: columns.places.length,
    from: steps(source, "from"),
    to: steps(target, "to"),
  };
}
/** Places along an axis lie evenly. */
function progression({ places }: Axis, end: "from" | "to"): { first: number; next: number } {
  const [first, second = first] = places;
  return { first: first![end], next: second![end] - first![end] };
}

/**
 * Byte offsets of a window's floats in the order rows of taps, taps, channels; as if the last run went on, up to a
 * multiple of four.
 */
export function windowOffsets([rows, columns]: readonly [Axis, Axis], channels: number, source: MapSteps): number[] {
  const offsets = rows.taps.flatMap((_, u) =>
    columns.taps.flatMap((_, v) =>
      Array.from({ length: channels }, (_, c) => u * rows.step * source.row + v * columns.step * source.pixel + 4 * c),
    ),
  );
  while (offsets.length % 4 > 0) offsets.push(offsets.at(-1)! + 4);
  return offsets;
}
