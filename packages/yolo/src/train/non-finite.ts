// The error of a training that has left the finite numbers.

/** The loss or the gradient is no longer a number. Epoch and batch count from 0. */
export class NonFiniteLossError extends Error {
  override readonly name = "NonFiniteLossError";
  readonly what: "loss" | "gradient";
  readonly epoch: number;
  readonly batch: number;
  readonly value: number;

  constructor(
    what: "loss" | "gradient",
    { epoch, batch, value }: { readonly epoch: number; readonly batch: number; readonly value: number },
  ) {
    const where = `epoch ${epoch + 1}, batch ${batch + 1}`;
    super(
      `${what}: expected a finite number, got ${value} in ${where} (the last checkpoint is kept; try a smaller lr0 or a longer warm-up)`,
    );
    this.what = what;
    this.epoch = epoch;
    this.batch = batch;
    this.value = value;
  }
}
