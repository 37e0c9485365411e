// Reads detection labels: one object a line, `class cx cy w h` with fractions of the picture. What is wrong is said, never guessed.
import type { Box } from "./types.ts";

/** A line that was left out; lines count from 1. */
export interface LabelProblem {
  readonly line: number;
  readonly message: string;
}

const columns = ["class", "cx", "cy", "w", "h"] as const;

/** The boxes of a label file's text and the lines left out: wrong count, not a number, out of range, without area, a duplicate. */
export function parseLabels(
  text: string,
  { classes }: { readonly classes: number },
): { boxes: Box[]; problems: LabelProblem[] } {
  const boxes: Box[] = [];
  const problems: LabelProblem[] = [];
  const seen = new Map<string, number>();
  for (const [i, raw] of text.split(/\r\n|\n|\r/).entries()) {
    const content = raw.trim();
    if (content === "") continue;
    const line = i + 1;
    const box = parseLine(content, classes);
    if (typeof box === "string") {
      problems.push({ line, message: box });
      continue;
    }
    const key = box.join(" ");
    const first = seen.get(key);
    if (first !== undefined) problems.push({ line, message: `repeats line ${first}` });
    else {
      seen.set(key, line);
      boxes.push(box);
    }
  }
  return { boxes, problems };
}

/** The box of a line, or what is wrong with it. */
function parseLine(content: string, classes: number): Box | string {
  const fields = content.split(/\s+/);
  if (fields.length !== columns.length) {
    return `expected 5 numbers (class cx cy w h), got ${fields.length}: ${shorten(content)}`;
  }
  const numbers = fields.map((field) => Number(field));
  for (const [i, value] of numbers.entries()) {
    if (!Number.isFinite(value)) return `${columns[i]} is not a number: ${fields[i]}`;
  }
  const [classIndex, ...sides] = numbers as [number, number, number, number, number];
  if (!Number.isInteger(classIndex)) return `class ${fields[0]} is not a whole number`;
  if (classIndex < 0 || classIndex >= classes) return `class ${classIndex} is out of range 0..${classes - 1}`;
  for (const [i, value] of sides.entries()) {
    const name = columns[i + 1];
    if (value < 0) return `${name} is negative: ${value}`;
    if (value > 1) return `${name} is above 1: ${value} (coordinates are fractions of the picture)`;
  }
  if (sides[2] === 0 || sides[3] === 0) return "the box has no area";
  return [classIndex, sides[0]!, sides[1]!, sides[2]!, sides[3]!];
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}
