// matmul of the wasm device against the reference kernel, over all kinds of places. Small whole numbers: every sum is
// exact in any order.
import { describe, expect, it } from "vitest";
import { sizeOf } from "../../../shape.ts";
import { type Concrete, contiguous, fromData } from "../../../tensor.ts";
import { difference, LAYOUTS, numbers, reference, runLowered, TestingBuilder } from "../testing/builder.ts";
import { matmulLowerings } from "./matmul.ts";

const whole = (shape: readonly number[]) => numbers(shape, (x) => Math.round(8 * x));
function check(tensors: readonly Concrete[], layouts: Parameters<typeof runLowered>[4]): void {
  const got = runLowered(matmulLowerings.matmul, "matmul", tensors, {}, layouts);
  const want = reference("matmul", tensors, {}).map((t) => contiguous(t));
  expect(difference(got, want)).toBe("");
}
const SIZES = [
  [1, 1, 1],
  [5, 3, 7],
  [4, 8, 8],
  [3, 20, 33],
  [100, 32, 100],
  [9, 70, 1],
  [1, 70, 9],
  [130, 33, 17],
  [13, 300, 35],
  [0, 3, 4],
  [3, 0, 4],
] as const;

describe.each(SIZES)("[%d, %d] @ [.., %d]", (M, K, N) => {
  it.each([[[]], [[3]], [[2, 3]]])("batch %j", (batch) => {
    const [a, b] = [whole([...batch, M, K]), whole([...batch, K, N])];
    for (const inputs of LAYOUTS) for (const outputs of LAYOUTS) check([a, b], { inputs, outputs });
  });
});

describe("matrices that repeat over the batch", () => {
  it.each([
    [12, 40, 24],
    [37, 530, 43],
  ])("are read again, and packed once: [%d, %d] @ [.., %d]", (M, K, N) => {
    for (const shapes of [
      [
        [2, 1, M, K],
        [2, 3, K, N],
      ],
      [
        [2, 3, M, K],
        [1, 3, K, N],
      ],
      [
        [1, 1, M, K],
        [1, 1, K, N],
      ],
    ] as const) {
      const tensors = shapes.map((narrow, i) => {
        const one = contiguous(whole(narrow));
        const shape = [2, 3, ...narrow.slice(2)];
        const size = sizeOf(narrow.slice(2));
        const copy = (at: number) => {
          const [n, h] = [Math.floor(at / size / 3), Math.floor(at / size) % 3];
          return one[((n % narrow[0]) * narrow[1] + (h % narrow[1])) * size + (at % size)]! + i;
        };
        return fromData(
          Float32Array.from({ length: 6 * size }, (_, at) => copy(at)),
          shape,
        );
      });
      for (const outputs of LAYOUTS) check(tensors, { views: [...shapes], outputs });
    }
  });
});

describe("the packed operand", () => {
  const steps = (M: number, K: number, N: number, layout: "rowMajor" | "reversed") => {
    const builder = new TestingBuilder(1);
    const [a, b] = [numbers([M, K]), numbers([K, N])];
    const [y] = reference("matmul", [a, b], {});
    for (const t of [a, b]) builder.define(t, builder.lay(t.shape, "rowMajor"));
    builder.define(y!, builder.lay(y!.shape, layout));
    matmulLowerings.matmul({ name: "matmul", inputs: [a, b], params: {}, outputs: [y!] }, builder);
    return builder.steps.at(-1);
  };
  it("is the first where the transposed product writes in place", () => {
    expect(steps(64, 16, 64, "rowMajor")).toMatchObject({ rows: 64, yColumn: 4, aStep: 4 });
    expect(steps(64, 16, 32, "reversed")).toMatchObject({ rows: 32, yColumn: 4 });
  });
});
