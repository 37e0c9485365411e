// One memory with every kernel over it, and a bump allocator: what a launch needs.
import { OpError } from "../../errors.ts";
import { type Exports, instantiate } from "./assembler.ts";
import { convTileKernels } from "./kernels/conv-tiles.ts";
import { depthwise, depthwiseWeight } from "./kernels/depthwise.ts";
import { matmulKernels } from "./kernels/matmul.ts";
import { naiveConv, naiveConvInput, naiveConvWeight } from "./kernels/naive.ts";
import { poolKernels } from "./kernels/pool.ts";
import { reduceKernels } from "./kernels/reduce.ts";
import { weightTilesOf } from "./kernels/weight-tiles.ts";
import { gatherPanels, gatherTiles, LINE, touch, walk } from "./kernels/window.ts";
import { winogradPacks } from "./kernels/winograd-pack.ts";
import { winogradOuter, winogradProduct } from "./kernels/winograd-product.ts";
import { stridedKernels } from "./kernels/winograd-strided.ts";
import { winogradTransforms } from "./kernels/winograd-transform.ts";
import { type WasmMemory, WebAssembly } from "./web-assembly.ts";

const definitionsOf = (wide: boolean) => ({
  ...{ depthwise, depthwiseWeight },
  ...{ walk, gatherTiles, gatherPanels, touch },
  ...{ ...convTileKernels(wide), weightTiles: weightTilesOf(wide) },
  ...reduceKernels,
  ...poolKernels,
  ...matmulKernels,
  ...{ naiveConv, naiveConvInput, naiveConvWeight },
  ...winogradTransforms,
  ...winogradPacks,
  ...stridedKernels,
  ...{ winogradProduct, winogradOuter },
});
const PAGE = 65536;

export type Kernels = Exports<ReturnType<typeof definitionsOf>>;

/** Compiles every kernel over a memory: once per thread. `wide` ones suit vectors of 256 bits, and give the same bits. */
export const instantiateKernels = (memory: WasmMemory, wide = false): Kernels =>
  instantiate(definitionsOf(wide), memory);

export class Runtime {
  readonly kernels: Kernels;
  /** The memory as floats and as integers: index = byte address / 4. */
  readonly floats: Float32Array;
  readonly integers: Int32Array;
  #top = LINE;

  /** The memory does not grow: engines reserve addresses only, so give it the most that may be needed. */
  constructor({ bytes, shared = false, wide = false }: { bytes: number; shared?: boolean; wide?: boolean }) {
    const pages = Math.ceil(bytes / PAGE);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
    this.kernels = instantiateKernels(memory, wide);
    this.floats = new Float32Array(memory.buffer);
    this.integers = new Int32Array(memory.buffer);
  }
  /** The byte address of `floats` zeros. @throws OpError if the memory is full. */
  allocate(floats: number): number {
    const at = this.#top;
    const end = at + Math.ceil((4 * floats) / LINE) * LINE;
    if (end > 4 * this.floats.length)
      throw new OpError("wasm memory", `at most ${4 * this.floats.length} bytes`, `${end}`, "make a larger runtime");
    this.#top = end;
    this.floats.fill(0, at / 4, end / 4);
    return at;
  }
  /** The address of a copy of the values. */
  place(values: Float32Array): number {
    const at = this.allocate(values.length);
    this.floats.set(values, at / 4);
    return at;
  }
  /** The address of a table of integers. */
  table(values: readonly number[]): number {
    const at = this.allocate(values.length);
    this.integers.set(values, at / 4);
    return at;
  }
  /** Forgets every place given out; the launches that hold one must not run again. */
  reset(): void {
    this.#top = LINE;
  }
}
