// accumulate: gradients over several micro-batches with one merge of each kernel and one way back through it.
import { grad, namedModules, type Parameter, type ValueAndGrad, valueAndGrad } from "@orepa/autograd";
import { add, mul, OpError, sum, type Tensor } from "@orepa/tensor";
import { RepBlock } from "./rep-block.ts";

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
  const merges = blocksOf(module).flatMap((block) => {
    const kernel = block.onlineKernel();
    return kernel ? [{ block, kernel }] : [];
  });
  const targets = [...wrt];
  const held = (loss: () => Tensor): (() => Tensor) =>
    merges.reduce(
      (inner, { block, kernel }) =>
        () =>
          block.withKernel(kernel, inner),
      loss,
    );

  const passes = losses.map((loss) =>
    valueAndGrad<Tensor | Parameter>(held(loss), [...merges.map(({ kernel }) => kernel), ...targets]),
  );
  const total = (of: Tensor | Parameter): Tensor => addAll(passes.map(({ grads }) => grads.get(of)!));
  const value = addAll(passes.map((pass) => pass.value));
  if (merges.length === 0) return { value, grads: new Map(targets.map((target) => [target, total(target)])) };
  const cotangents = merges.map(({ kernel }) => total(kernel));
  const back = grad(
    () => addAll(merges.map(({ block }, i) => sum(mul(block.onlineKernel()!, cotangents[i]!)))),
    targets,
  );
  return { value, grads: new Map(targets.map((target) => [target, add(total(target), back.get(target)!)])) };
}

const addAll = (terms: readonly Tensor[]): Tensor => terms.reduce((a, b) => add(a, b));

const blocksOf = (module: object): readonly RepBlock[] => [
  ...new Set([...namedModules(module)].flatMap(([, found]) => (found instanceof RepBlock ? [found] : []))),
];
