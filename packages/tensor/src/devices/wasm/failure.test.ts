// A run that fails: the error comes through, and the device goes on, with one thread and with two.
import { describe, expect, inject, test } from "vitest";
import { compile } from "../../compile.ts";
import { tensor, zeros } from "../../creation.ts";
import { gather, hostCall } from "../../ops/index-ops.ts";
import { add, mul } from "../../ops/pointwise.ts";
import { fromData, type Tensor } from "../../tensor.ts";
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
  test("an index outside is refused as on the reference device, whichever thread meets it", async () => {
    const rows = 5000;
    const pick = (x: Tensor, index: Tensor) => gather(x, 1, index);
    const programs = [compile(pick, { device: "cpu" }), compile(pick, { device })];
    const x = zeros([rows, 3], { dtype: "float32" });
    for (const bad of [0, rows - 1]) {
      const index = new Int32Array(2 * rows);
      index[2 * bad] = 3;
      for (const program of programs)
        await expect(program(x, fromData(index, [rows, 2]))).rejects.toThrow("expected an index in 0..2, got 3");
    }
    for (const program of programs)
      expect((await program(x, fromData(new Int32Array(rows), [rows, 1]))).size).toBe(rows);
  });
});
