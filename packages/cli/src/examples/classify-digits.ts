// Example: a small residual network of re-parameterized blocks learns handwritten digits, and is deployed as plain convolutions.
// pnpm --filter cli run classify-digits --block dbb --epochs 3; --help lists the options.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { parseArgs } from "node:util";
import { createSgd, groupParameters, initialize, parameters, readStateDict, valueAndGrad } from "@orepa/autograd";
import { type BlockChoice, blockChoices, deployModel, ResNet } from "@orepa/orepa";
import {
  compile,
  createWasm,
  fromData,
  Generator,
  logSoftmax,
  mean,
  mul,
  neg,
  sum,
  type Tensor,
  tensor,
} from "@orepa/tensor";

const HELP = `pnpm --filter cli run classify-digits [options]

A small residual network of re-parameterized blocks learns handwritten digits, tells its accuracy after every epoch, and is merged
into plain convolutions, which have the same accuracy. The digits come along; with the defaults it takes a minute or two.

  --block NAME    what the 3x3 convolutions are: ${blockChoices.join(", ")} (orepa)
  --epochs N      passes over the digits (3)
  --digits N      digits of each class to train on, 800 at most (800)
  --seed N        seed of the first weights and of the order of the digits (0)
  --help          this text`;

const settings = readSettings();
const [SIDE, CLASSES, BATCH] = [28, 10, 50];
/** Of the thousand digits of each class in the package, the last 200 are for testing. */
const TRAINING = 800;
const [RATE, MOMENTUM, DECAY] = [0.05, 0.9, 5e-4];

const device = createWasm();
const train = digits(0, Math.min(settings.digits, TRAINING));
const test = digits(TRAINING, 1000);
const net = new ResNet(
  { depths: [1, 1, 1, 1], width: 0.125 },
  { block: settings.block, small: true, classes: CLASSES, inChannels: 1 },
);
initialize(net, settings.seed);
const sgd = createSgd(groupParameters(net), { nesterov: true });

/** Cross-entropy: the mean of -log p of the true class, which `truth` [N, classes] marks by a 1. */
const step = compile(
  (images: Tensor, truth: Tensor, rate: Tensor) => {
    const loss = () => neg(mean(sum(mul(logSoftmax(net.forward(images, "train"), 1), truth), 1)));
    const { value, grads } = valueAndGrad(loss, parameters(net));
    sgd.update(grads, { learningRates: [rate, rate, rate], momentum: MOMENTUM, weightDecay: DECAY });
    return value;
  },
  { device },
);

console.log(`ResNet of ${settings.block} blocks, ${train.length} digits to train on, ${test.length} to test on`);
const started = performance.now();
const steps = Math.floor(train.length / BATCH);
const random = new Generator(`order ${settings.seed}`);
for (let epoch = 0; epoch < settings.epochs; epoch++) {
  const order = train.map((digit) => ({ digit, key: random.uniform() })).sort((a, b) => a.key - b.key);
  let total = 0;
  for (let i = 0; i < steps; i++) {
    const progress = (epoch * steps + i) / (settings.epochs * steps);
    const { images, truth } = batch(order.slice(i * BATCH, (i + 1) * BATCH).map(({ digit }) => digit));
    // Half a cosine from the rate down to 0.
    const loss = await step(images, truth, tensor((RATE / 2) * (1 + Math.cos(Math.PI * progress))));
    total += loss.item();
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const score = (100 * (await accuracy())).toFixed(2);
  console.log(
    `epoch ${epoch + 1}/${settings.epochs}: loss ${(total / steps).toFixed(4)}, accuracy ${score} %, ${seconds} s`,
  );
}
step.dispose();

// What the device holds comes home.
await readStateDict(net);
const { report } = deployModel(net, { inputShape: [1, 1, SIDE, SIDE] });
const { before, after } = report.parameters;
console.log(`deployed: ${before} parameters became ${after}, largest deviation ${report.deviation.toExponential(1)}`);
console.log(`accuracy of the deployed network ${(100 * (await accuracy())).toFixed(2)} %`);
await device.dispose();

interface Digit {
  /** Ink from 0 to 1, row by row. */
  readonly ink: readonly number[];
  readonly label: number;
}

/** The digits of every class from one index up to another. */
function digits(from: number, to: number): Digit[] {
  const folder = path.dirname(createRequire(import.meta.url).resolve("mnist/package.json"));
  return Array.from({ length: CLASSES }, (_, label) => {
    const text = readFileSync(path.join(folder, "src", "digits", `${label}.json`), "utf8");
    const { data } = JSON.parse(text) as { data: number[] };
    const size = SIDE ** 2;
    return Array.from({ length: to - from }, (_, i) => ({
      ink: data.slice((from + i) * size, (from + i + 1) * size),
      label,
    }));
  })
    .flat()
    .filter(({ ink }) => ink.length === SIDE ** 2);
}

function batch(chosen: readonly Digit[]): { images: Tensor; truth: Tensor } {
  const images = Float32Array.from(chosen.flatMap(({ ink }) => ink));
  const truth = Float32Array.from(
    chosen.flatMap(({ label }) => Array.from({ length: CLASSES }, (_, c) => Number(c === label))),
  );
  return {
    images: fromData(images, [chosen.length, 1, SIDE, SIDE]),
    truth: fromData(truth, [chosen.length, CLASSES]),
  };
}

/** The share of the test digits whose largest score is that of their class. */
async function accuracy(): Promise<number> {
  using infer = compile((images: Tensor) => net.forward(images, "eval"), { device });
  let right = 0;
  const size = 4 * BATCH;
  for (let at = 0; at < test.length; at += size) {
    const chosen = test.slice(at, at + size);
    const scores = (await infer(batch(chosen).images)).toArray() as number[][];
    right += scores.filter((row, i) => row.indexOf(Math.max(...row)) === chosen[i]!.label).length;
  }
  return right / test.length;
}

/** The options; without a training to do the process ends here. */
function readSettings() {
  try {
    const { values } = parseArgs({
      options: {
        block: { type: "string", default: "orepa" },
        epochs: { type: "string", default: "3" },
        digits: { type: "string", default: "800" },
        seed: { type: "string", default: "0" },
        help: { type: "boolean", default: false },
      },
    });
    if (!values.help)
      return {
        block: choice(values.block),
        epochs: wholeNumber("epochs", values.epochs, 1),
        digits: wholeNumber("digits", values.digits, 1),
        seed: wholeNumber("seed", values.seed, 0),
      };
    console.log(HELP);
  } catch (error) {
    console.error(`error: ${(error as Error).message.replace(/\s+/g, " ")} (try --help)`);
    process.exit(2);
  }
  process.exit(0);
}

function choice(name: string): BlockChoice {
  const found = blockChoices.find((known) => known === name);
  if (found === undefined) throw new Error(`--block: expected one of ${blockChoices.join(", ")}, got ${name}`);
  return found;
}

function wholeNumber(name: string, text: string, least: number): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < least)
    throw new Error(`--${name}: expected a whole number of at least ${least}, got ${text}`);
  return n;
}
