// pnpm orepa [--device wasm] [--threads 2] [--rounds 7] [--sizes 64/56/4,...]: the training step of one block (convolution, norm,
// SiLU, SGD with momentum) with a plain kernel and with an OREPA kernel merged online, in turns.
import { parseArgs } from "node:util";
import {
  BatchNorm2d,
  Conv2d,
  createSgd,
  groupParameters,
  initialize,
  type Mode,
  type Module,
  parameters,
  SiLU,
  valueAndGrad,
} from "@orepa/autograd";
import { Orepa, sumOfKernels } from "@orepa/orepa";
import {
  compile,
  conv2d,
  type DeviceSpec,
  Generator,
  mean,
  mul,
  type Report,
  randn,
  sum,
  type Tensor,
} from "@orepa/tensor";
import { machine } from "./machine.ts";
import { defaultDevice, openDevice, wholeNumber } from "./options.ts";
import { rounds, timed } from "./rounds.ts";
import { machineLine, table } from "./table.ts";

const { values } = parseArgs({
  options: {
    device: { type: "string", default: defaultDevice },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "7" },
    sizes: { type: "string", default: "64/56/4,128/28/8,256/14/16,512/7/16" },
  },
});
const MEBIBYTE = 2 ** 20;
/** What the merge aims for: largest ratio to the plain block's step at the default sizes. */
const AIMS: Readonly<Record<string, number>> = { "64/56/4": 1.05, "128/28/8": 1.1, "256/14/16": 1.25, "512/7/16": 2.2 };
const hyper = { learningRates: [0.01, 0.01, 0.01], momentum: 0.9, weightDecay: 5e-4 };

/** The convolution that a block stands for, with its norm and activation. */
abstract class Block implements Module {
  readonly bn: BatchNorm2d;
  readonly act = new SiLU();

  constructor(channels: number) {
    this.bn = new BatchNorm2d(channels);
  }
  abstract kernel(): Tensor;
  forward(x: Tensor, mode: Mode): Tensor {
    return this.act.forward(this.bn.forward(conv2d(x, this.kernel(), { padding: 1 }), mode));
  }
}
class PlainBlock extends Block {
  readonly conv: Conv2d;

  constructor(channels: number) {
    super(channels);
    this.conv = new Conv2d(channels, channels, 3, { padding: 1, bias: false });
  }
  kernel(): Tensor {
    return this.conv.weight.value;
  }
}
class OrepaBlock extends Block {
  readonly orepa: Orepa;
  readonly #merge: (block: Orepa) => Tensor;

  constructor(channels: number, merge: (block: Orepa) => Tensor) {
    super(channels);
    this.orepa = new Orepa(channels, channels, { norm: "none", activation: false });
    this.#merge = merge;
  }
  kernel(): Tensor {
    return this.#merge(this.orepa);
  }
}
const blocks = {
  plain: (channels) => new PlainBlock(channels),
  closed: (channels) => new OrepaBlock(channels, (block) => block.kernel()),
  composed: (channels) => new OrepaBlock(channels, sumOfKernels),
} as const satisfies Readonly<Record<string, (channels: number) => Block>>;
type Name = keyof typeof blocks;

/** A compiled step; it also gives the input's gradient, as a block inside of a network must. */
function training(block: Block, x: Tensor, device: DeviceSpec) {
  initialize(block, 0);
  const sgd = createSgd(groupParameters(block));
  const trained = parameters(block);
  const step = compile(
    (input: Tensor) => {
      // A mean, so that the norm's gain stays about 1: where a sum has made it large, numbers too small for full precision slow down the maps.
      const loss = () => mean(mul(block.forward(input, "train"), input));
      const { value, grads } = valueAndGrad<Tensor | (typeof trained)[number]>(loss, [input, ...trained]);
      sgd.update(grads, hyper);
      // A sum keeps the gradient alive without the time to copy it out.
      return { loss: value, inputGradient: sum(grads.get(input)!) };
    },
    { device },
  );
  return { step, run: () => step(x) };
}

const { device, label, close } = openDevice(values.device, wholeNumber("threads", values.threads));
const count = wholeNumber("rounds", values.rounds);
console.log(machineLine(machine()));
console.log(`one 3x3 block, a training step, ${label}, medians of ${count} rounds in milliseconds and their ratios`);
console.log("fastest: the ratio of the shortest steps, for a machine that others use too");
const print = table(
  ["channels/side/batch", "plain", "closed", "composed", "closed/plain", "fastest", "aim", "composed/plain", "MiB"],
  [19, 8, 8, 8, 12, 7, 5, 14, 22],
);
for (const size of values.sizes.split(",")) {
  const [channels, side, batch] = size.split("/").map((n) => wholeNumber("sizes", n)) as [number, number, number];
  const x = randn([batch, channels, side, side], { generator: new Generator("orepa") });
  const steps = {
    plain: training(blocks.plain(channels), x, device),
    closed: training(blocks.closed(channels), x, device),
    composed: training(blocks.composed(channels), x, device),
  } satisfies Record<Name, unknown>;
  await checkEqual(steps);
  const { plain, closed, composed } = await rounds(
    { plain: timed(steps.plain.run), closed: timed(steps.closed.run), composed: timed(steps.composed.run) },
    count,
  );
  print([
    size,
    ...[plain, closed, composed].map(({ ms }) => ms.toFixed(1)),
    (closed.ms / plain.ms).toFixed(2),
    (closed.fastest / plain.fastest).toFixed(2),
    AIMS[size]?.toFixed(2) ?? "",
    (composed.ms / plain.ms).toFixed(2),
    Object.values(steps)
      .map(({ step }) => (memory(step.report()) / MEBIBYTE).toFixed(1))
      .join(" / "),
  ]);
  for (const { step } of Object.values(steps)) step.dispose();
}
console.log(`load average at the end ${machine().load.toFixed(2)}`);
await close();

/** Bytes of a run: as the device planned them, or those alive at once where it plans nothing. */
function memory({ planned, peakBytes }: Report): number {
  return planned?.arena ?? peakBytes;
}

/** @throws Error unless the two merges, started alike, have the same loss after some steps: the sum of some thousand float32 terms. */
async function checkEqual({
  closed,
  composed,
}: Pick<Record<Name, ReturnType<typeof training>>, "closed" | "composed">) {
  for (let i = 0; i < 3; i++) {
    const [a, b] = [(await closed.run()).loss.item(), (await composed.run()).loss.item()];
    if (!(Math.abs(a - b) <= 1e-3 * Math.abs(b))) throw new Error(`step ${i}: expected the loss ${b}, got ${a}`);
  }
}
