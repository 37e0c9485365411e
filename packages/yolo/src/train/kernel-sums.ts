// Gradients for merged kernels, summed over the batches of an optimizer step: kernels stay as they are between two steps, so the way
// back through their merge is taken once, for the sum.
import { type OnlineKernel, onlineBlocks, type Parameter, throughKernels } from "@orepa/autograd";
import { add, type Tensor, trace, Variable, zeros } from "@orepa/tensor";

/** The sums, and what a step makes of them. */
export interface KernelSums {
  /** The summed gradients, by `<path of the block>.kernel`. */
  readonly sums: ReadonlyMap<string, Variable>;
  /** Parameters whose gradients come from these sums alone. */
  readonly parameters: ReadonlySet<Parameter>;
  /** Kernels for one pass, merged outside of its gradient: what to differentiate for beside the other parameters. */
  merge(): ReadonlyMap<OnlineKernel, Tensor>;
  /** Adds the gradients of a pass with such kernels. */
  gather(kernels: ReadonlyMap<OnlineKernel, Tensor>, grads: ReadonlyMap<Tensor | Parameter, Tensor>): void;
  /** What the sums mean for parameters; zeros where no kernel depends on one. */
  back(wrt: Iterable<Parameter>): ReadonlyMap<Parameter, Tensor>;
}

/** Sums for every block of a module that merges and trains. */
export function kernelSums(module: object, trained: ReadonlySet<Parameter>): KernelSums {
  const blocks = new Map<OnlineKernel, Variable>();
  const sums = new Map<string, Variable>();
  for (const [path, block] of onlineBlocks(module)) {
    if (!block.onlineParameters.some((parameter) => trained.has(parameter))) continue;
    const { shape, dtype } = kernelOf(block);
    const variable = new Variable(zeros(shape, { dtype }));
    blocks.set(block, variable);
    sums.set(`${path}.kernel`, variable);
  }
  return {
    sums,
    parameters: new Set([...blocks.keys()].flatMap(({ onlineParameters }) => onlineParameters)),
    merge: () => new Map([...blocks.keys()].map((block) => [block, block.onlineKernel()!])),
    gather: (kernels, grads) => {
      for (const [block, variable] of blocks) variable.assign(add(variable.value, grads.get(kernels.get(block)!)!));
    },
    back: (wrt) => {
      if (blocks.size === 0) return new Map();
      return throughKernels(new Map([...blocks].map(([block, { value }]) => [block, value])), wrt);
    },
  };
}

/** A symbol like the kernel: nothing is computed. */
const kernelOf = (block: OnlineKernel): Tensor => trace(() => block.onlineKernel()!, []).program.outputs[0]!;
