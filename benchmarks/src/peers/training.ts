// The training step of YOLO11n's network, ours and PyTorch's: forward in train mode, mean squares of the raw maps as loss,
// backward, SGD with momentum. (No detection loss: it is the same few percent for everyone who has one.) Losses are compared
// over the first steps, which compares the gradients too, before anything is timed.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stateDict, writeSafetensors } from "@orepa/autograd";
import { timed } from "../rounds.ts";
import { compete, readOptions } from "./compete.ts";
import { createModel, pictures } from "./model.ts";
import { programs, RATE, startWide } from "./own.ts";
import { keptMemory, type Layout, startTorch } from "./torch.ts";

const options = readOptions();
const wide = options.wide ? await startWide("training", options) : undefined;
const { own, imgsz, batch, threads, python } = options;

const CHECKED_STEPS = 2;
/** Largest difference allowed, of the first loss and of how far the steps lower it, each as a part of itself. */
const TOLERANCE = { loss: 1e-4, drop: 1e-2 };

const folder = await mkdtemp(join(tmpdir(), "orepa-peers-"));
const [weightsFile, imagesFile] = [join(folder, "weights.safetensors"), join(folder, "images.safetensors")];
await writeFile(weightsFile, writeSafetensors(stateDict(createModel()), {}));
await writeFile(imagesFile, writeSafetensors(new Map([["images", pictures(batch, imgsz)]]), {}));

const ours = programs.training({ imgsz, batch, device: own.device });

const args = [weightsFile, imagesFile, String(threads), String(RATE)];
const torches = {
  "default memory": await startTorch(python, args),
  "kept memory": await startTorch(python, args, keptMemory),
} as const;
const layouts: readonly Layout[] = ["contiguous", "channels_last"];
const contestants = Object.entries(torches).flatMap(([memory, torch]) =>
  layouts.map((layout) => ({ name: `torch, ${layout}, ${memory}`, torch, layout })),
);

await check();

/** Takes the first steps. @throws Error if PyTorch's losses are others. */
async function check(): Promise<void> {
  const takers = [
    { name: "orepa", take: ours.run },
    ...(wide ? [{ name: "orepa, wide", take: wide.result }] : []),
    ...contestants.map(({ name, torch, layout }) => ({ name, take: async () => (await torch.step(layout)).loss })),
  ];
  const losses: number[][] = [];
  for (const { name, take } of takers) {
    const own: number[] = [];
    for (let i = 0; i < CHECKED_STEPS; i++) own.push(await take());
    losses.push(own);
    const [expected, got] = [losses[0]!, own].map((steps) => ({ loss: steps[0]!, drop: steps[0]! - steps.at(-1)! }));
    for (const key of ["loss", "drop"] as const)
      if (!(Math.abs(got![key] - expected![key]) <= TOLERANCE[key] * expected![key]))
        throw new Error(`${name}: expected a ${key} of ${expected![key]}, got ${got![key]}`);
  }
  console.log(`PyTorch agrees: loss ${losses[0]!.map((loss) => loss.toFixed(3)).join(", ")} in the first steps`);
}

const { version } = torches["default memory"];
await compete(
  {
    title: `YOLO11n network step (PyTorch ${version})`,
    contestants: {
      [`orepa (${own.label})`]: timed(ours.run),
      ...(wide && { [`orepa (${own.label}, wide)`]: wide.time }),
      ...Object.fromEntries(
        contestants.map(({ name, torch, layout }) => [name, async () => (await torch.step(layout)).ms]),
      ),
    },
    ...{ gflop: ours.gflop, wideLimit: wide?.limit },
  },
  options,
);
for (const other of [...Object.values(torches), wide]) other?.close();
await rm(folder, { recursive: true });
await own.close();
