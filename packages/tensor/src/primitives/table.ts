// The closed table of primitives: every computation is a list of these. A row has a shape rule and a reference kernel;
// its gradient stands in @orepa/autograd's table of the same keys, other devices' kernels in theirs.
import { conv2d, convInput, convWeight } from "./conv/conv.ts";
import { argsort, gather, scatterAdd } from "./gather/gather.ts";
import { hostCall } from "./host-call.ts";
import { matmul } from "./matmul/matmul.ts";
import * as pointwise from "./pointwise/pointwise.ts";
import { maxGather, maxPool, maxUnpool, sumPool, upsample } from "./pool/pool.ts";
import type { Primitive } from "./primitive.ts";
import { amax, amin, cumsum, sum, varMean } from "./reduce/reduce.ts";
import { concat, expand, flip, pad, permute, reshape, slice, split } from "./view/view.ts";

export type { Kind, Primitive } from "./primitive.ts";

export const primitives = {
  neg: pointwise.neg,
  exp: pointwise.exp,
  log: pointwise.log,
  sqrt: pointwise.sqrt,
  abs: pointwise.abs,
  sin: pointwise.sin,
  cos: pointwise.cos,
  atan: pointwise.atan,
  sigmoid: pointwise.sigmoid,
  copy: pointwise.copy,
  detach: pointwise.detach,
  cast: pointwise.cast,
  add: pointwise.add,
  sub: pointwise.sub,
  mul: pointwise.mul,
  div: pointwise.div,
  pow: pointwise.pow,
  maximum: pointwise.maximum,
  minimum: pointwise.minimum,
  greater: pointwise.greater,
  equal: pointwise.equal,
  where: pointwise.where,
  expand,
  reshape,
  permute,
  flip,
  slice,
  pad,
  split,
  concat,
  sum,
  amax,
  amin,
  varMean,
  cumsum,
  matmul,
  conv2d,
  convInput,
  convWeight,
  maxPool,
  maxUnpool,
  maxGather,
  upsample,
  sumPool,
  gather,
  scatterAdd,
  argsort,
  hostCall,
};

export type PrimitiveName = keyof typeof primitives;
/** The parameters of a primitive. */
export type ParamsOf<N extends PrimitiveName> = (typeof primitives)[N] extends Primitive<infer P> ? P : never;
