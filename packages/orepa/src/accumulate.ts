// accumulate: gradients over several micro-batches with one merge of each kernel and one way back through it.
import {
  type OnlineKernel,
  onlineBlocks,
  type Parameter,
  throughKernels,
  type ValueAndGrad,
  valueAndGrad,
  withKernels,
} from "@orepa/autograd";
import { add, OpError, type Tensor } from "@orepa/tensor";

/**
 * Value and gradients of the sum of `losses`, each of which runs `module` on a micro-batch of its own. Kernels are merged once before
 * the first; the gradients for the kernels are added up and go back to the factors once, after the last. The feature maps of a
 * micro-batch are not needed after it.
 *
 * @throws OpError if there are no losses.
 */
export function accumulate(
  module: object,
  losses: readonly (() => Tensor)[],
  wrt: Iterable<Parameter>,
): ValueAndGrad<Parameter> {
  if (losses.length === 0) throw new OpError("accumulate", "at least one loss", "none");
  const targets = [...wrt];
  const kernels = new Map<OnlineKernel, Tensor>();
  for (const block of onlineBlocks(module).values()) {
    const kernel = block.onlineKernel();
    if (kernel) kernels.set(block, kernel);
  }

  const passes = losses.map((loss) =>
    valueAndGrad<Tensor | Parameter>(() => withKernels(kernels, loss), [...kernels.values(), ...targets]),
  );
  const total = (of: Tensor | Parameter): Tensor => addAll(passes.map(({ grads }) => grads.get(of)!));
  const value = addAll(passes.map((pass) => pass.value));
  const direct = new Map(targets.map((target) => [target, total(target)]));
  if (kernels.size === 0) return { value, grads: direct };
  const back = throughKernels(new Map([...kernels].map(([block, kernel]) => [block, total(kernel)])), targets);
  return { value, grads: new Map([...direct].map(([target, gradient]) => [target, add(gradient, back.get(target)!)])) };
}

const addAll = (terms: readonly Tensor[]): Tensor => terms.reduce((a, b) => add(a, b));
