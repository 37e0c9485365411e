// The training step of YOLO11n's network, ours and PyTorch's: forward in train mode, mean squares of the raw maps as loss,
// backward, SGD with momentum. (No detection loss: it is the same few percent for everyone who has one.) Losses are compared
// over the first steps, which compares the gradients too, before anything is timed.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSgd, groupParameters, parameters, stateDict, valueAndGrad, writeSafetensors } from "@orepa/autograd";
import { add, compile, mean, square, type Tensor } from "@orepa/tensor";
import { denseGflop } from "@orepa/yolo";
import { timed } from "../rounds.ts";
import { compete, readOptions } from "./compete.ts";
import { createModel, pictures } from "./model.ts";
import { keptMemory, type Layout, startTorch } from "./torch.ts";

const options = readOptions();
const { own, imgsz, batch, threads, python } = options;

const RATE = 0.05;
const CHECKED_STEPS = 2;
/** Largest difference allowed, of the first loss and of how far the steps lower it, each as a part of itself. */
const TOLERANCE = { loss: 1e-4, drop: 1e-2 };

const images = pictures(batch, imgsz);
const model = createModel();
const folder = await mkdtemp(join(tmpdir(), "orepa-peers-"));
const [weightsFile, imagesFile] = [join(folder, "weights.safetensors"), join(folder, "images.safetensors")];
await writeFile(weightsFile, writeSafetensors(stateDict(model), {}));
await writeFile(imagesFile, writeSafetensors(new Map([["images", images]]), {}));

const groups = groupParameters(model);
const sgd = createSgd(groups, { nesterov: true });
const ours = compile(
  (x: Tensor) => {
    const { value: loss, grads } = valueAndGrad(
      () =>
        model
          .forward(x, "train")
          .maps.map((map) => mean(square(map)))
          .reduce((a, b) => add(a, b)),
      [...parameters(model)].filter(({ trainable }) => trainable),
    );
    sgd.update(grads, { learningRates: groups.map(() => RATE), momentum: 0.9, weightDecay: 0 });
    return loss;
  },
  { device: own.device },
);

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
    { name: "orepa", take: async () => (await ours(images)).item() },
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
      [`orepa (${own.label})`]: timed(async () => (await ours(images)).item()),
      ...Object.fromEntries(
        contestants.map(({ name, torch, layout }) => [name, async () => (await torch.step(layout)).ms]),
      ),
    },
    gflop: () => denseGflop(ours.report()),
  },
  options,
);
for (const torch of Object.values(torches)) torch.close();
await rm(folder, { recursive: true });
await own.close();
