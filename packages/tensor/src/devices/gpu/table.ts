// The closed table of gpu kernels: every primitive is an expression that loops take in, or a lowering to launches and
// places. A forgotten one does not compile.
import type { PrimitiveName } from "../../primitives/table.ts";
import type { Lowering } from "./builder.ts";
import { type Expression, expressions } from "./expressions.ts";
import { convKernels } from "./lower/conv.ts";
import { gatherKernels } from "./lower/gather.ts";
import { matmulKernels } from "./lower/matmul.ts";
import { poolKernels } from "./lower/pool.ts";
import { reduceKernels } from "./lower/reduce.ts";
import { viewKernels } from "./lower/view.ts";

const hostCall: Lowering<"hostCall"> = {
  lower({ inputs, params, outputs }, b) {
    const places = inputs.map((t) => b.place(t));
    b.host({
      params,
      inputs: inputs.map((spec, i) => ({ spec, place: places[i]! })),
      reads: [...new Set(places.map(({ root }) => root))],
      writes: outputs.map((t) => b.result(t).root),
    });
  },
};

export const gpuKernels = {
  ...expressions,
  ...viewKernels,
  ...reduceKernels,
  ...matmulKernels,
  ...convKernels,
  ...poolKernels,
  ...gatherKernels,
  hostCall,
} satisfies { readonly [N in PrimitiveName]: Expression<N> | Lowering<N> };
