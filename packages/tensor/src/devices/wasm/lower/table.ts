// The closed table of lowerings: how every primitive becomes steps. A forgotten one does not compile.
import type { Equation } from "../../../bind.ts";
import type { PrimitiveName } from "../../../primitives/table.ts";
import type { NodeName } from "../pointwise/expression.ts";
import type { Builder, Lowering } from "./builder.ts";
import { lowerConv, lowerConvInput, lowerConvWeight } from "./conv.ts";
import { gatherLowerings } from "./gather.ts";
import { lowerHostCall } from "./host.ts";
import { matmulLowerings } from "./matmul.ts";
import { poolLowerings } from "./pool.ts";
import { reduceLowerings } from "./reduce.ts";
import { sampleLowerings } from "./sample.ts";
import {
  lowerConcat,
  lowerDetach,
  lowerExpand,
  lowerFlip,
  lowerPad,
  lowerPermute,
  lowerReshape,
  lowerSlice,
  lowerSplit,
} from "./view.ts";

/** Pointwise primitives are lowered in groups. */
type Lowered = Exclude<PrimitiveName, NodeName | "cast">;

const lowerings = {
  expand: lowerExpand,
  reshape: lowerReshape,
  permute: lowerPermute,
  flip: lowerFlip,
  slice: lowerSlice,
  detach: lowerDetach,
  pad: lowerPad,
  split: lowerSplit,
  concat: lowerConcat,
  conv2d: lowerConv,
  convInput: lowerConvInput,
  convWeight: lowerConvWeight,
  hostCall: lowerHostCall,
  ...reduceLowerings,
  ...poolLowerings,
  ...sampleLowerings,
  ...gatherLowerings,
  ...matmulLowerings,
} satisfies { readonly [N in Lowered]: Lowering<N> };

/** Appends the steps of an equation that is not pointwise. */
export function lowerEquation(e: Equation, builder: Builder): void {
  const lowering = lowerings[e.name as Lowered] as Lowering<PrimitiveName>; // name and equation come together
  lowering(e, builder);
}
