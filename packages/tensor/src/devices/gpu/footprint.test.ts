// What gpu programs are planned to take is what they take, and a buffer above the limit is refused before anything runs.
import { expect, test } from "vitest";
import { compile } from "../../compile.ts";
import { full, tensor } from "../../creation.ts";
import { MemoryError } from "../../errors.ts";
import { add, exp, mul } from "../../ops/pointwise.ts";
import { sum } from "../../ops/reduce.ts";
import { permute } from "../../ops/shape.ts";
import type { Tensor } from "../../tensor.ts";
import { Variable } from "../../variable.ts";
import { createGpu } from "./device.ts";

const SIDE = 8;
const BYTES = 4 * SIDE * SIDE;
/** A step that keeps a value of a constant Variable, and assigns another. */
function program(device: ReturnType<typeof createGpu>) {
  const [fixed, moving] = [1, 2].map((value) => new Variable(full([SIDE, SIDE], value))) as [Variable, Variable];
  return compile(
    (x: Tensor) => {
      const mixed = mul(sum(permute(exp(x), [1, 0]), 0, { keepdim: true }), exp(fixed.value));
      moving.assign(add(moving.value, mixed));
      return sum(mixed);
    },
    { device },
  );
}

test("the plan's bytes are those of a run", async () => {
  const device = createGpu("gpu:cpu");
  const run = program(device);
  const x = full([SIDE, SIDE], 0.5);
  const { arena, program: held, buffer } = run.prepare(x)!;
  await run(x);
  await run(x);
  expect(device.usage.peakBytes).toBe(2 * BYTES + held + arena);
  expect(buffer).toEqual({ needed: BYTES, available: Number.POSITIVE_INFINITY });
  expect(run.report().planned).toMatchObject({ arena, program: held });
});

test("a buffer that the device does not allow is an error at planning and at a call", async () => {
  const device = createGpu("gpu:cpu", { largestBuffer: BYTES - 1 });
  expect(() => program(device).prepare(full([SIDE, SIDE], 0))).toThrow(MemoryError);
  const fits = compile((x: Tensor) => exp(x), { device });
  expect((await fits(tensor([0]))).toArray()).toEqual([1]);
  await expect(fits(full([SIDE, SIDE], 0))).rejects.toThrow("for one buffer");
});
