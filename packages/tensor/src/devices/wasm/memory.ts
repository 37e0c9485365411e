// The memory of the device. It does not grow, so that every thread keeps its views: all addresses are reserved at once,
// which costs nothing, because engines take a page from the system when it is first written.
import { OpError } from "../../errors.ts";
import { type WasmMemory, WebAssembly } from "./web-assembly.ts";

const PAGE = 65536;
const GIB = 2 ** 30;
/** What 32-bit addresses reach. */
const MOST = 4 * GIB;
const LEAST = GIB;

/**
 * A memory of `maximumBytes` (default 4 GiB), or of half or a quarter of it if the platform reserves no more.
 * @throws OpError if it reserves not even that.
 */
export function makeMemory({ shared, maximumBytes = MOST }: { shared: boolean; maximumBytes?: number }): WasmMemory {
  if (!(maximumBytes >= PAGE && maximumBytes <= MOST))
    throw new OpError("wasm memory", `between ${PAGE} and ${MOST} bytes`, `${maximumBytes}`);
  for (let bytes = maximumBytes; ; bytes /= 2) {
    const pages = Math.floor(bytes / PAGE);
    try {
      return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      if (bytes / 2 < LEAST)
        throw new OpError("wasm memory", `${pages} pages of addresses`, error.message, "set a smaller maximum");
    }
  }
}
