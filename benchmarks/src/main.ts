// pnpm bench [--image 320] [--batch 8] [--rounds 5]: the ladder of kernels as a table, then the same as one line of JSON.
import { parseArgs } from "node:util";
import { Runtime } from "@orepa/tensor/wasm";
import { benchLayer, type Row } from "./conv.ts";
import { layers } from "./layers.ts";
import { machine } from "./machine.ts";
import { benchPointwise } from "./pointwise.ts";

const MEMORY = 2 ** 30;
const { values } = parseArgs({
  options: {
    image: { type: "string", default: "320" },
    batch: { type: "string", default: "8" },
    rounds: { type: "string", default: "5" },
  },
});
const options = { image: count("image"), batch: count("batch"), rounds: count("rounds") };

const before = machine();
console.log(`${before.cpu}, ${before.cores} cores, node ${before.node}, load average ${before.load.toFixed(2)}`);
console.log(
  `one thread, ${options.image} px, batch ${options.batch} (naive: batch 1), median of ${options.rounds}; GFLOP/s:`,
);
const runtime = new Runtime({ bytes: MEMORY });
print(["layer", "pass", "kernel", "GFLOP", "cpu", "naive", "fast", "limit", "of limit", "x cpu"]);
const rows = layers.flatMap((layer) => {
  const measured = benchLayer(runtime, layer, options);
  for (const row of measured) print(cells(row));
  return measured;
});
const pointwise = benchPointwise(options.rounds);
console.log("millions of elements a second:");
for (const { name, cpu, fast } of pointwise)
  console.log(`${name.padEnd(16)} cpu ${cpu.toFixed(0)}, wasm ${fast.toFixed(0)}, ${(fast / cpu).toFixed(1)}x`);
const after = machine();
console.log(`load average at the end ${after.load.toFixed(2)}`);
console.log(JSON.stringify({ machine: before, loadAfter: after.load, options, rows, pointwise }));

function cells({ layer, pass, path, gflop, cpu, naive, fast, limit }: Row): string[] {
  const rates = [cpu, naive, fast, limit].map((rate) => rate.toFixed(1));
  return [
    layer,
    pass,
    path,
    gflop.toFixed(3),
    ...rates,
    `${((100 * fast) / limit).toFixed(0)} %`,
    (fast / cpu).toFixed(1),
  ];
}
function print(columns: readonly string[]): void {
  const widths = [24, 8, 10, 6, 6, 6, 6, 6, 8, 6];
  console.log(columns.map((text, i) => (i < 3 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join(" "));
}
/** @throws Error unless the option is a whole number above 0. */
function count(name: keyof typeof values): number {
  const n = Number(values[name]);
  if (!Number.isInteger(n) || n < 1) throw new Error(`--${name}: expected a whole number above 0, got ${values[name]}`);
  return n;
}
