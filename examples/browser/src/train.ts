// A network of two OREPA blocks learns to blur pictures: forward, backward and SGD are one program on the device.
import { createSgd, groupParameters, initialize, type Mode, parameters, valueAndGrad } from "@orepa/autograd";
import { createBlock } from "@orepa/orepa";
import { compile, conv2d, type DeviceName, full, Generator, mean, mul, rand, sub, type Tensor } from "@orepa/tensor";

const [STEPS, BATCH, SIDE, CHANNELS] = [40, 4, 12, 4];
/** Steps between lines. */
const EVERY = 10;
const [RATE, MOMENTUM, DECAY] = [0.05, 0.9, 0];

class Blur {
  readonly first = createBlock("orepa", 1, CHANNELS);
  readonly second = createBlock("orepa", CHANNELS, 1, { activation: false });
  forward(x: Tensor, mode: Mode): Tensor {
    return this.second.forward(this.first.forward(x, mode), mode);
  }
}

export async function train(device: DeviceName, log: (text: string) => void): Promise<void> {
  const net = new Blur();
  initialize(net, 0);
  const sgd = createSgd(groupParameters(net));
  const box = full([1, 1, 3, 3], 1 / 9);
  using step = compile(
    (pictures: Tensor) => {
      const loss = () => {
        const off = sub(net.forward(pictures, "train"), conv2d(pictures, box, { padding: 1 }));
        return mean(mul(off, off));
      };
      const { value, grads } = valueAndGrad(loss, parameters(net));
      sgd.update(grads, { learningRates: [RATE, RATE, RATE], momentum: MOMENTUM, weightDecay: DECAY });
      return value;
    },
    { device },
  );
  const generator = new Generator("pictures");
  let start = 0;
  for (let i = 1; i <= STEPS; i++) {
    const loss = (await step(rand([BATCH, 1, SIDE, SIDE], { generator }))).item();
    if (i === 1) start = performance.now();
    if (i === 1 || i % EVERY === 0) log(`step ${i}: loss ${loss.toFixed(4)}`);
  }
  log(`${((performance.now() - start) / (STEPS - 1)).toFixed(1)} ms a step`);
}
