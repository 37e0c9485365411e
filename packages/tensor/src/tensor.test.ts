// Tensors: creation, broadcasting, errors, printing.
import { expect, test } from "vitest";
import {
  add,
  concat,
  conv2d,
  full,
  Generator,
  matmul,
  mul,
  OpError,
  permute,
  rand,
  softmax,
  sum,
  tensor,
  transpose,
  varMean,
} from "./index.ts";

test("a tensor knows its shape and gives its elements back as nested arrays", () => {
  const x = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(x.shape).toEqual([2, 3]);
  expect(x.toArray()).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(transpose(x).toArray()).toEqual([
    [1, 4],
    [2, 5],
    [3, 6],
  ]);
});

test("binary ops broadcast and numbers take the tensor's dtype", () => {
  const x = tensor(
    [
      [1, 2],
      [3, 4],
    ],
    { dtype: "float64" },
  );
  expect(add(x, tensor([10, 20], { dtype: "float64" })).toArray()).toEqual([
    [11, 22],
    [13, 24],
  ]);
  expect(mul(2, x).dtype).toBe("float64");
});

test("shapes that do not broadcast give an error with its parts as fields", () => {
  expect(() => add(full([2, 3], 1), full([4], 1))).toThrow(OpError);
  expect(() => matmul(full([8, 16], 1), full([32, 4], 1))).toThrow(
    "matmul: expected inner sizes to agree, got [8, 16] @ [32, 4] (16 != 32)",
  );
});

test("composed and movement ops agree with hand-made numbers", () => {
  expect(sum(softmax(rand([4, 7], { generator: new Generator(1) }), 1)).item()).toBeCloseTo(4, 5);
  expect(concat([tensor([1]), tensor([2, 3])]).toArray()).toEqual([1, 2, 3]);
  expect(permute(tensor([[1, 2]]), [1, 0]).toArray()).toEqual([[1], [2]]);
  const [v, m] = varMean(tensor([1, 2, 3, 4]));
  expect([v.item(), m.item()]).toEqual([1.25, 2.5]);
  expect(conv2d(full([1, 1, 3, 3], 1), full([1, 1, 3, 3], 1), { padding: 1 }).toArray()).toEqual([
    [
      [
        [4, 6, 4],
        [6, 9, 6],
        [4, 6, 4],
      ],
    ],
  ]);
});

test("printing aligns rows and leaves out the middle of long axes", () => {
  expect(
    String(
      tensor([
        [1, 20],
        [3, 4],
      ]),
    ),
  ).toBe("tensor([[ 1, 20],\n        [ 3,  4]], shape [2, 2], float32)");
  expect(String(full([20], 1))).toBe("tensor([1, 1, 1, ..., 1, 1, 1], shape [20], float32)");
});
