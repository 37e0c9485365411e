// The cases of every primitive: data that the generic tests of every device run on.
import type { PrimitiveName } from "@orepa/tensor";
import { indexCases } from "./index-cases.ts";
import { movementCases } from "./movement-cases.ts";
import type { OpCase } from "./op-case.ts";
import { pointwiseCases } from "./pointwise-cases.ts";
import { poolCases } from "./pool-cases.ts";
import { productCases } from "./product-cases.ts";
import { reduceCases } from "./reduce-cases.ts";

/** Sample inputs, edge cases and mistakes per primitive; leaving one out does not compile. */
export const opCases: { readonly [N in PrimitiveName]: readonly OpCase<N>[] } = {
  ...pointwiseCases,
  ...movementCases,
  ...reduceCases,
  ...productCases,
  ...poolCases,
  ...indexCases,
};
