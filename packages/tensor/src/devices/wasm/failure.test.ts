// A run that fails: the error comes through, and the device goes on, with one thread and with two.
import { describe, expect, inject, test } from "vitest";
import { compile } from "../../compile.ts";
import { tensor } from "../../creation.ts";
import { hostCall } from "../../ops/index-ops.ts";
import { add, mul } from "../../ops/pointwise.ts";
import type { Tensor } from "../../tensor.ts";
import { Variable } from "../../variable.ts";
import { createWasm } from "./device.ts";

const devices = [
  { threads: 1, device: createWasm({ threads: 1 }) },
  { threads: 2, device: createWasm({ threads: 2, worker: new URL(inject("worker")) }) },
];

describe.each(devices)("$threads thread(s)", ({ threads, device }) => {
  test("a callback that throws ends its run alone", async () => {
    expect(device.threads).toBe(threads);
    let isBad = true;
    const check = (x: Tensor) => {
      if (isBad) throw new RangeError("the callback is wrong");
      return [x];
    };
    const weight = new Variable(tensor([1, 2]));
    const call = compile(
      (x: Tensor) => {
        const [y] = hostCall([mul(x, 2)], check, [{ shape: [2], dtype: "float32" }]);
        weight.assign(add(weight.value, y!));
        return y!;
      },
      { device },
    );
    const other = compile((x: Tensor) => add(x, weight.value), { device });
    const x = tensor([3, 4]);
    for (let i = 0; i < 3; i++) {
      await expect(call(x)).rejects.toThrow(RangeError);
      expect((await other(x)).toArray()).toEqual([4, 6]);
    }
    isBad = false;
    expect((await call(x)).toArray()).toEqual([6, 8]);
    expect((await other(x)).toArray()).toEqual([10, 14]);
    isBad = true;
    await expect(call(x)).rejects.toThrow("the callback is wrong");
    expect(weight.value.toArray()).toEqual([7, 10]);
    expect((await other(x)).toArray()).toEqual([10, 14]);
  });
});
