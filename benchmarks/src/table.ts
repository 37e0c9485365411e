// Columns for people: the first one to the left, numbers to the right.

/** Prints rows under a heading, a line each as they come. */
export function table(heading: readonly string[], widths: readonly number[]): (cells: readonly string[]) => void {
  const print = (cells: readonly string[]) =>
    console.log(cells.map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join("  "));
  print(heading);
  return print;
}
/** One line that says what the figures were measured on. */
export const machineLine = ({ cpu, cores, node, load }: { cpu: string; cores: number; node: string; load: number }) =>
  `${cpu}, ${cores} cores, node ${node}, load average ${load.toFixed(2)}`;
