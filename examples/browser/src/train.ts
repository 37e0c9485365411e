// Training: forward, backward and SGD are one program on the device.
import { createSgd, groupParameters, parameters, readStateDict, valueAndGrad } from "@orepa/autograd";
import { compile, type DeviceName, Generator, type Tensor } from "@orepa/tensor";
import { drawDigits } from "./digits.ts";
import { crossEntropy, type DigitNet } from "./net.ts";

export const STEPS = 240;
const BATCH = 32;
const [RATE, MOMENTUM, DECAY] = [0.05, 0.9, 5e-4];

export interface Training {
  /** Called after every step; the next follows when it is done. False ends the training. */
  readonly onStep: (step: number, loss: number) => Promise<boolean>;
}

/** Trains a network, and takes its values home. */
export async function train(net: DigitNet, device: DeviceName, { onStep }: Training): Promise<void> {
  const sgd = createSgd(groupParameters(net));
  using step = compile(
    (pictures: Tensor, truth: Tensor) => {
      const { value, grads } = valueAndGrad(() => crossEntropy(net, { pictures, truth }), parameters(net));
      sgd.update(grads, { learningRates: [RATE, RATE, RATE], momentum: MOMENTUM, weightDecay: DECAY });
      return value;
    },
    { device },
  );
  const random = new Generator("digits to train on");
  for (let i = 1; i <= STEPS; i++) {
    const { pictures, truth } = drawDigits(BATCH, random);
    const loss = (await step(pictures, truth)).item();
    if (!(await onStep(i, loss))) break;
  }
  await readStateDict(net);
}

/** What a network takes digits for: logits [n, classes], as rows. */
export async function logits(net: DigitNet, pictures: Tensor, device: DeviceName): Promise<Tensor> {
  using program = compile((x: Tensor) => net.forward(x, "eval"), { device });
  return await program(pictures);
}
/** The class of the largest logit of every row. */
export const classes = (rows: Tensor): number[] =>
  (rows.toArray() as number[][]).map((row) => row.indexOf(Math.max(...row)));
