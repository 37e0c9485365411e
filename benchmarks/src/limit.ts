// What one core can do, as something to time beside kernels.
import { LIMIT_FLOP, limitLoop } from "@orepa/tensor/wasm";

export { LIMIT_FLOP };

const loop = limitLoop();

/** Runs the register-only loop once. @throws Error if it computed something else. */
export const runLimit = (): void => void loop(1);
