// Norms without a past: a network made of deployed convolutions has norms that pass everything on, with statistics of nothing.
import { BatchNorm2d, type Mode, namedModules } from "@orepa/autograd";
import { add, compile, type DeviceSpec, div, mul, reshape, sqrt, sub, type Tensor, varMean } from "@orepa/tensor";
import type { Network } from "./cost.ts";

/**
 * Gives every batch norm the statistics of what it sees when the network runs on `images` in eval mode, with weight and bias changed so
 * that its function in eval mode stays what it was: w' / sigma' = w / sigma, and b' - mean' w' / sigma' likewise. In train mode the
 * network then starts about where it is in eval mode.
 */
export async function calibrateNorms(
  model: Network,
  images: Tensor,
  { device = "cpu" }: { device?: DeviceSpec } = {},
): Promise<void> {
  const norms = [...new Set([...namedModules(model)].map(([, module]) => module))].filter(
    (module): module is BatchNorm2d => module instanceof BatchNorm2d,
  );
  const measure = compile(
    (input: Tensor) => {
      const seen: Record<string, Tensor> = {};
      for (const [i, norm] of norms.entries()) {
        const forward = (x: Tensor, mode: Mode): Tensor => {
          const [variance, mean] = varMean(x, [0, 2, 3]);
          seen[`variance ${i}`] = variance;
          seen[`mean ${i}`] = mean;
          return BatchNorm2d.prototype.forward.call(norm, x, mode);
        };
        Object.defineProperty(norm, "forward", { value: forward, configurable: true, enumerable: false });
      }
      try {
        model.forward(input, "eval");
      } finally {
        for (const norm of norms) Reflect.deleteProperty(norm, "forward");
      }
      return seen;
    },
    { device },
  );
  const seen: Readonly<Record<string, Tensor>> = await measure(images);
  measure.dispose();
  for (const [i, norm] of norms.entries()) {
    const [variance, mean] = [seen[`variance ${i}`], seen[`mean ${i}`]];
    // A norm that did not run keeps what it has.
    if (variance && mean) moveStatistics(norm, reshape(mean, [norm.channels]), reshape(variance, [norm.channels]));
  }
}

/** Other statistics, the same function. */
function moveStatistics(norm: BatchNorm2d, mean: Tensor, variance: Tensor): void {
  const { weight, bias, running_mean, running_var, eps } = norm;
  const gain = div(weight.value, sqrt(add(running_var.value, eps)));
  const shift = sub(bias.value, mul(running_mean.value, gain));
  running_mean.assign(mean);
  running_var.assign(variance);
  weight.assign(mul(gain, sqrt(add(variance, eps))));
  bias.assign(add(shift, mul(mean, gain)));
}
