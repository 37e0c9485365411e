// Batches that do not fit into a memory: the largest that does is found by planning, and planning alone.
import { compile, createGpu, exp, MemoryError, type Tensor } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { requireFit } from "./fit.ts";

/** Tries batches on a device that has 1000 MiB, of which a batch takes so many. */
function fit(batch: number, takes: (batch: number) => number) {
  const tried: number[] = [];
  let released = 0;
  const message = (() => {
    try {
      requireFit({
        ...{ batch, imgsz: 64 },
        prepare: (count) => {
          tried.push(count);
          const [needed, available] = [takes(count) * 2 ** 20, 1000 * 2 ** 20];
          if (needed > available) throw new MemoryError("test", { needed, available, use: "a program", hint: "" });
        },
        release: () => {
          released++;
        },
      });
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  })();
  return { message, tried, released };
}

describe("requireFit", () => {
  it("plans once where all fits, and keeps the plan", () => {
    expect(fit(8, (n) => 100 * n)).toEqual({ message: null, tried: [8], released: 0 });
  });
  it("says what is needed, what there is and the largest batch that fits", () => {
    expect(fit(64, (n) => 100 * n).message).toBe(
      "memory: imgsz=64 batch=64 needs 6400 MiB, the device has 1000 MiB; " +
        "the largest batch that fits is 10 (batch=10), or a smaller imgsz=",
    );
  });
  it("needs few plans, whatever the needs look like", () => {
    const needs: [(n: number) => number, number][] = [
      [(n) => 100 * n, 10],
      [(n) => 300 + 13 * n, 53],
      [(n) => 990 + n, 10],
      [(n) => (n > 20 ? 1e6 : 1), 20],
      [(n) => (n > 200 ? 1001 : 1), 200],
      [(n) => n * n, 31],
    ];
    for (const [takes, most] of needs) {
      const { message, tried } = fit(256, takes);
      expect(message).toContain(`the largest batch that fits is ${most} `);
      expect(tried.length).toBeLessThanOrEqual(16);
    }
    expect(fit(256, (n) => 100 * n).tried).toEqual([256, 10, 11]);
  });
  it("says so where nothing fits", () => {
    expect(fit(4, () => 2000).message).toContain("not even batch=1 fits (take a smaller imgsz= or model=)");
  });
  it("finds the largest batch whose buffers a gpu device allows, without a run", () => {
    const device = createGpu("gpu:cpu", { largestBuffer: 2 * 2 ** 20 });
    const program = compile((x: Tensor) => exp(x), { device });
    const prepare = (batch: number) => void program.prepare({ shape: [batch, 3, 256, 256], dtype: "float32" });
    expect(() => requireFit({ batch: 8, imgsz: 256, prepare, release: program.dispose })).toThrow(
      "memory: imgsz=256 batch=8 needs 6 MiB for one buffer, the device has 2 MiB; the largest batch that fits is 2 (batch=2)",
    );
  });
  it("lets other errors through", () => {
    const prepare = () => {
      throw new Error("other");
    };
    expect(() => requireFit({ batch: 1, imgsz: 32, prepare, release: () => {} })).toThrow("other");
  });
});
