// Making a sum of branches a given kernel: one branch takes what the others leave.
import type { Parameter } from "@orepa/autograd";
import { equal, mean, mul, OpError, square, sub, type Tensor, tensor, where } from "@orepa/tensor";
import type { Branch } from "./branch.ts";

/** Branches with their scales: a block or a sum inside of one. */
export interface Summands {
  readonly branches: readonly Branch[];
  readonly vector: Parameter | undefined;
  scales(): readonly (Tensor | undefined)[];
}

/** What a scale of 0 becomes: its branch would have no gradient. */
const LEAST_SCALE = 0.25;

/**
 * The position of the branch that can be any kernel.
 * @throws OpError if there is none.
 */
function anchorOf(branches: readonly Branch[]): number {
  const anchor = branches.findIndex(({ assign }) => assign);
  if (anchor < 0)
    throw new OpError(
      "fromConv",
      "a branch that can be any kernel",
      branches.map(({ name }) => name).join(", "),
      "add an origin branch to the block",
    );
  return anchor;
}

/**
 * Gives the branches values with which the sum of their scaled kernels is `kernel`. The anchor takes the rest that the others leave:
 * each keeps its first values, made small, so that together they have about `share` of the kernel's size.
 */
export function assignSum(sum: Summands, kernel: Tensor, share: number): void {
  const { branches } = sum;
  const anchor = startScales(sum);
  const size = (share * (rootMeanSquare(kernel) || 1)) / Math.max(1, branches.length - 1);
  for (const i of branches.keys()) if (i !== anchor) shrink(sum, i, size);
  const rows = sum.scales();
  const rest = branches.reduce((left, branch, i) => (i === anchor ? left : sub(left, branch.kernel(rows[i]))), kernel);
  branches[anchor]!.assign!(rest, share);
}

/** No scale stays 0, and the anchor's becomes 1. Returns the anchor's position. */
export function startScales(sum: Summands): number {
  const anchor = anchorOf(sum.branches);
  if (sum.vector) wake(sum.vector);
  setRows(sum, (value, row) => (row === anchor ? 1 : value));
  return anchor;
}

/** Scales of 0 become small ones. */
export const wake = (vector: Parameter): void =>
  vector.assign(where(equal(vector.value, 0), LEAST_SCALE, vector.value));

/** Makes one scaled kernel as large as `size`: by the factor in which it is linear or, without factors, by its scale. */
export function shrink(sum: Summands, i: number, size: number): void {
  const branch = sum.branches[i]!;
  const before = rootMeanSquare(branch.kernel(sum.scales()[i]));
  if (before === 0) return;
  const last = branch.factors.at(-1);
  if (last) last.assign(mul(last.value, size / before));
  else setRows(sum, (value, row) => (row === i ? (value * size) / before : value));
}

function setRows({ vector }: Summands, change: (value: number, row: number) => number): void {
  if (!vector) return;
  const { shape, dtype } = vector;
  const values = Array.from(vector.value.toTypedArray(), (value, n) => change(value, Math.floor(n / shape[1]!)));
  vector.assign(tensor(values, { shape, dtype }));
}

const rootMeanSquare = (x: Tensor): number => Math.sqrt(mean(square(x)).item());
