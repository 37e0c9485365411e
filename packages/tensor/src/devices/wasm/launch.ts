// What a prepared kernel is: places and tables are laid out once, then data goes in, the kernel runs, data comes out.

/** Runs any number of times; its maker says what the operands are. */
export interface Launch {
  /** Copies the operands, row-major as in the reference kernels, into the kernel's layout. */
  write(a: Float32Array, b: Float32Array): void;
  run(): void;
  /** Copies the result out, row-major. */
  read(result: Float32Array): void;
  /** Which kernel runs: the fast tiles, Winograd's, or the plain loop over all taps. */
  readonly path: "tile" | "winograd" | "depthwise" | "naive";
}

/** All three in one. */
export function runOnce(launch: Launch, a: Float32Array, b: Float32Array, result: Float32Array): void {
  launch.write(a, b);
  launch.run();
  launch.read(result);
}
