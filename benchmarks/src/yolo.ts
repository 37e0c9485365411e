// YOLO11n as a whole: the trainer's compiled step and the deployed network's inference, over picture sides, batches and
// threads, as a part of the machine's limit; then how time grows with threads, batch and side.
import { parseArgs } from "node:util";
import { initialize } from "@orepa/autograd";
import { openLimit } from "@orepa/tensor/wasm";
import { buildModel, inferenceWorkload, measure, modelYaml, trainingWorkload } from "@orepa/yolo";
import { machine } from "./machine.ts";
import { defaultDevice, openDevice, wholeNumber, wholeNumbers } from "./options.ts";
import { printScaling, type Row } from "./scaling.ts";
import { machineLine, table } from "./table.ts";

const CLASSES = 80;
const MEBIBYTE = 2 ** 20;
const workloads = { step: trainingWorkload, inference: inferenceWorkload } as const;

const { values } = parseArgs({
  options: {
    device: { type: "string", default: defaultDevice },
    model: { type: "string", default: "yolo11n.yaml" },
    imgsz: { type: "string", default: "160,320,640" },
    batch: { type: "string", default: "1,4,8,16" },
    threads: { type: "string", default: "1,2" },
    repeats: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});
const repeats = wholeNumber("repeats", values.repeats);
const createModel = () => {
  const { text, scale } = modelYaml(values.model);
  const model = buildModel(text, { scale, nc: CLASSES });
  initialize(model, 0);
  return model;
};

const before = machine();
console.log(machineLine(before));
console.log(`${values.model} on ${values.device}, median of ${repeats}`);
const print = table(
  ["program", "px", "batch", "threads", "ms", "fastest", "slowest", "GFLOP", "GFLOP/s", "limit", "of limit", "MiB"],
  [9, 4, 5, 7, 8, 8, 8, 7, 7, 6, 8, 6],
);
const rows: Row[] = [];
for (const asked of wholeNumbers("threads", values.threads)) {
  const { device, threads, close } = openDevice(values.device, asked);
  const limit = await openLimit(threads);
  for (const imgsz of wholeNumbers("imgsz", values.imgsz))
    for (const batch of wholeNumbers("batch", values.batch))
      for (const program of ["step", "inference"] as const) {
        const workload = workloads[program]({ createModel, imgsz, batch, device });
        const measured = await measure(workload, { repeats, limit: () => limit.measure() });
        workload.dispose();
        rows.push({ program, imgsz, batch, threads, ...measured });
        print(cells(rows.at(-1)!));
      }
  await limit.close();
  await close();
}
printScaling(rows);
const after = machine();
console.log(`load average at the end ${after.load.toFixed(2)}`);
if (values.json)
  console.log(
    JSON.stringify({
      machine: before,
      loadAfter: after.load,
      device: values.device,
      model: values.model,
      repeats,
      rows,
    }),
  );

function cells({ program, imgsz, batch, threads, ...m }: Row): string[] {
  return [
    ...[program, `${imgsz}`, `${batch}`, `${threads}`],
    ...[m.ms, m.fastest, m.slowest].map((ms) => ms.toFixed(1)),
    ...[m.gflop.toFixed(2), m.gflops.toFixed(1), m.limit_gflops.toFixed(1), `${(100 * m.fraction).toFixed(0)} %`],
    ((m.planned_bytes + m.variable_bytes) / MEBIBYTE).toFixed(0),
  ];
}
