// For tests: the program of a process that starts threads and then has nothing more to do.
import { assemble } from "../assembler.ts";
import { Heap } from "../heap.ts";
import { makeMemory } from "../memory.ts";
import { Pool } from "./pool.ts";
import { type TestStep, testRun, testSteps } from "./steps.cases.ts";

const [, , worker, way] = process.argv as [string, string, string, string];
const memory = makeMemory({ shared: true });
const heap = new Heap(memory.buffer.byteLength);
const program = { url: new URL(worker), run: testRun };
const pool = new Pool({ memory, heap, threads: 2, patience: 200, program });
await pool.start();
const steps: TestStep[] = [{ op: "mark", address: 2 ** 20, turn: 1 }];
if (way === "throw" || way === "hang") steps.push({ op: way, thread: 1 });
const id = pool.load({
  steps: testSteps(steps),
  barrierBefore: steps.map(() => true),
  kernels: assemble({}, { shared: true }),
});
try {
  pool.run(id);
} catch (error) {
  if (steps.length === 1) throw error;
}
if (way === "dispose") await pool.dispose();
console.log("done");
