// The closed table of lowerings: how every primitive becomes steps. A forgotten one does not compile.
import type { Equation, EquationOf } from "../../../bind.ts";
import type { PrimitiveName } from "../../../primitives/table.ts";
import type { Builder, Lowering } from "./builder.ts";
import { lowerConv, lowerConvInput, lowerConvWeight } from "./conv.ts";
import { gatherLowerings } from "./gather.ts";
import { lowerHostCall } from "./host.ts";
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
} as unknown as { readonly [N in PrimitiveName]: Lowering<N> };

export const lower = <N extends PrimitiveName>(e: EquationOf<N>, builder: Builder): void =>
  (lowerings[e.name] as Lowering<N>)(e, builder);
export const lowerEquation = (e: Equation, builder: Builder): void => lower(e as EquationOf<PrimitiveName>, builder);
