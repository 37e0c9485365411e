// The whole training step of a network as a program, for tests of passes on real lists of equations.
import {
  clipGradNorm,
  createAdamw,
  createSgd,
  groupParameters,
  parameters,
  updateEma,
  valueAndGrad,
} from "@orepa/autograd";
import { cast, full, type Program, type Tensor, trace } from "@orepa/tensor";
import { defaultGains, detectionLoss } from "../loss/detection-loss.ts";
import type { DetectModel } from "../model/detect-model.ts";

interface TracedStepOptions {
  readonly createModel: () => DetectModel;
  readonly batch: number;
  /** Side of the square images in pixels. */
  readonly size: number;
  readonly optimizer?: "sgd" | "adamw";
  /** Clip gradients by their global norm. */
  readonly clips?: boolean;
}

/** Forward, loss, backward, clipping, optimizer and average of the weights, before all passes. */
export function traceStep({ createModel, batch, size, optimizer = "sgd", clips = true }: TracedStepOptions): Program {
  const model = createModel();
  const average = createModel();
  const { nc, strides } = model;
  const trained = [...parameters(model)];
  const groups = groupParameters(model);
  const sgd = createSgd(groups, { nesterov: true });
  const adamw = createAdamw(groups);
  const step = (images: Tensor, targets: Tensor, rate: Tensor, momentum: Tensor, decay: Tensor) => {
    const { value: total, grads } = valueAndGrad(() => {
      const { maps } = model.forward(cast(images, "float32"), "train");
      return detectionLoss(maps, targets, { nc, strides, gains: defaultGains }).total;
    }, trained);
    const { grads: clipped, norm } = clips ? clipGradNorm(grads, 10) : { grads, norm: total };
    const learningRates = [rate, rate, rate];
    if (optimizer === "sgd") sgd.update(clipped, { learningRates, momentum, weightDecay: 5e-4 });
    else adamw.update(clipped, { learningRates, beta1: momentum, weightDecay: 5e-4 });
    updateEma(average, model, decay);
    return { total, norm };
  };
  const scalars = [full([], 0.01), full([], 0.9), full([], 0.99)] as const;
  return trace(step, [full([batch, 3, size, size], 0), full([batch, 8, 5], 0), ...scalars]).program;
}
