// What the figures were measured on.
import { availableParallelism, cpus, loadavg } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  /** Average number of runnable processes over the last minute: above 0.5 before a run, the figures are disturbed. */
  readonly load: number;
}
export const machine = (): Machine => ({
  cpu: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  node: process.version,
  load: loadavg()[0]!,
});
