// Copies of functions: same results, feedback apart, and the original where copying is not possible.
import { afterEach, describe, expect, it, vi } from "vitest";
import { copyFunction, perArrayTypes } from "./jit.ts";

describe("copyFunction", () => {
  afterEach(() => vi.unstubAllGlobals());
  const increment = (x: number) => x + 1;
  it("gives another function with the same text", () => {
    const copy = copyFunction(increment);
    expect(copy).not.toBe(increment);
    expect(copy(2)).toBe(3);
  });
  it("gives the function itself where a page forbids evaluation", () => {
    class Forbidden {
      constructor() {
        throw new EvalError("unsafe-eval");
      }
    }
    vi.stubGlobal("Function", Forbidden);
    expect(copyFunction(increment)).toBe(increment);
  });
  it("gives the function itself if a coverage tool has written into it", () => {
    const counted = { cov_1: () => 0 };
    const cov_1 = counted.cov_1;
    const instrumented = (x: number) => x + cov_1();
    expect(copyFunction(instrumented)).toBe(instrumented);
  });
});

describe("perArrayTypes", () => {
  it("makes one kernel per combination of array types", () => {
    const kernel = perArrayTypes(() => ({}));
    const [single, double, int] = [new Float32Array(1), new Float64Array(1), new Int32Array(1)];
    expect(kernel(single, double)).toBe(kernel(new Float32Array(3), double));
    const all = new Set([
      kernel(single),
      kernel(double),
      kernel(int),
      kernel(new Uint8Array(1)),
      kernel(single, double),
    ]);
    expect(all.size).toBe(5);
  });
});
