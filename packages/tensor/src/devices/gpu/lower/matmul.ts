// matmul: one thread per element of the product. Transposed and repeated operands are read where they lie.
import { type Lowering, sources } from "../builder.ts";
import { nested } from "../text.ts";

const matmul: Lowering<"matmul"> = {
  lower({ inputs: [a, b], outputs: [y] }, builder) {
    const reads = sources([builder.place(a!), builder.place(b!)]);
    builder.launch("matmul", builder.result(y!), y!.shape, reads, (at) => {
      const batch = at.slice(0, -2);
      const [row, column] = at.slice(-2) as [string, string];
      const product = `${reads.read(0, [...batch, row, "r0"])} * ${reads.read(1, [...batch, "r0", column])}`;
      return ["let s = 0;", ...nested([a!.shape.at(-1)!], [`s = s + ${product};`]), "return s;"];
    });
  },
};
export const matmulKernels = { matmul };
