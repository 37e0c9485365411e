// Comparing tensors in tests: relative to the largest expected value, with the worst element in the message.
import type { Tensor } from "@orepa/tensor";

/** @throws Error unless every element differs by at most `relative` times the largest expected magnitude. */
export function expectClose(what: string, actual: Tensor, expected: Tensor, relative: number): void {
  if (actual.shape.join() !== expected.shape.join())
    throw new Error(`${what}: expected shape [${expected.shape}], got [${actual.shape}]`);
  const [a, b] = [actual.toTypedArray(), expected.toTypedArray()];
  let [worst, largest] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    largest = Math.max(largest, Math.abs(b[i]!));
    if (!(Math.abs(a[i]! - b[i]!) <= Math.abs(a[worst]! - b[worst]!))) worst = i;
  }
  const difference = Math.abs(a[worst]! - b[worst]!);
  if (!(difference <= relative * largest))
    throw new Error(
      `${what}: element ${worst}: expected ${b[worst]}, got ${a[worst]}, ${difference / largest} of the largest`,
    );
}
