// Whether a batch fits into the device's memory, asked by planning alone; and if not, the largest one that does.
import { MemoryError } from "@orepa/tensor";
import { UserError } from "../errors.ts";

export interface FitOptions {
  readonly batch: number;
  readonly imgsz: number;
  /** Plans whatever a batch of so many pictures will run. @throws MemoryError if it does not fit. */
  readonly prepare: (batch: number) => void;
  /** Drops what was planned. */
  readonly release: () => void;
}
/** Guesses that follow the sizes asked for; after these the range is halved. */
const GUESSES = 6;
const MIB = 2 ** 20;

/** Plans for a batch. @throws UserError that names the largest batch that fits, if this one does not. */
export function requireFit({ batch, imgsz, prepare, release }: FitOptions): void {
  const shortage = tryOut(() => prepare(batch));
  if (!shortage) return;
  const most = largestFitting(batch, shortage, (count) => {
    release();
    return tryOut(() => prepare(count));
  });
  release();
  const { needed, available, use } = shortage;
  const whole = use === "a program" ? "" : ` for ${use}`;
  const found = most
    ? `the largest batch that fits is ${most} (batch=${most}), or a smaller imgsz=`
    : "not even batch=1 fits (take a smaller imgsz= or model=)";
  throw new UserError(
    `memory: imgsz=${imgsz} batch=${batch} needs ${Math.ceil(needed / MIB)} MiB${whole}, ` +
      `the device has ${Math.floor(available / MIB)} MiB; ${found}`,
  );
}

/** The largest batch below one that does not fit, 0 if there is none. Needs grow with the batch, a constant part apart. */
function largestFitting(batch: number, shortage: MemoryError, attempt: (batch: number) => MemoryError | null): number {
  let [fits, fails, share] = [0, batch, shortage.available / shortage.needed];
  for (let tries = 0; fails - fits > 1; tries++) {
    // The constant part makes this an estimate from above.
    const estimate = Math.max(fits + 1, Math.min(Math.floor(fails * share), fails - 1));
    const count = tries < GUESSES ? estimate : Math.floor((fits + fails) / 2);
    const found = attempt(count);
    if (!found) fits = count;
    else [fails, share] = [count, found.available / found.needed];
  }
  return fits;
}

function tryOut(act: () => void): MemoryError | null {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof MemoryError) return error;
    throw error;
  }
}
