// Our side alone with vectors of 256 bits: started as `wide-process.js PROGRAM IMGSZ BATCH THREADS`, it answers requests.
import { openLimit } from "@orepa/tensor/wasm";
import { openDevice, wholeNumber } from "../options.ts";
import { timed } from "../rounds.ts";
import { type ProgramName, programs, type Request } from "./own.ts";

const [name, ...numbers] = process.argv.slice(2);
const [imgsz, batch, threads] = numbers.map((text) => wholeNumber("wide", text)) as [number, number, number];
const { device } = openDevice("wasm", threads, true);
const { run } = programs[name as ProgramName]({ imgsz, batch, device });
const time = timed(run);
const limit = await openLimit(threads);
const answers: Readonly<Record<Request, () => Promise<unknown>>> = { time, result: run, limit: () => limit.measure() };

process.on("message", async (request: Request) => process.send!(await answers[request]()));
process.on("disconnect", () => process.exit(0));
process.send!("ready");
