// Wide vectors: V8 can turn neighbouring pairs of 128-bit operations into 256-bit ones, if a flag says so before the kernels
// are compiled. Experimental there, so on request only.
import { OpError } from "../../errors.ts";

/** Earlier versions do not know the flag, or know it without an effect. */
const FIRST_NODE = 24;
const FLAG = "--experimental-wasm-revectorize";

/** Asks the engine for wide vectors, for all that is compiled from now on, in threads started later too. @throws OpError where it has none. */
export function requestWide(): void {
  const { process } = globalThis as unknown as {
    readonly process?: {
      readonly versions: { readonly node?: string };
      getBuiltinModule?(name: "node:v8"): { setFlagsFromString(flags: string): void };
    };
  };
  const version = process?.versions.node;
  const v8 = process?.getBuiltinModule?.("node:v8");
  if (version === undefined || v8 === undefined || Number.parseInt(version, 10) < FIRST_NODE)
    throw new OpError(
      "wasm wide",
      `Node ${FIRST_NODE} or later`,
      version ? `Node ${version}` : "another platform",
      "leave wide out",
    );
  v8.setFlagsFromString(FLAG);
}
