// The fully connected layer.
import { add, matmul, type Tensor, transpose } from "@orepa/tensor";
import { fanInUniform } from "./conv.ts";
import type { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/**
 * y = x W' + b on the last axis: [..., in] -> [..., out], weight [out, in]. First values uniform, bound 1/sqrt(in).
 *
 * @example
 * new Linear(16, 10).forward(zeros([8, 16])).shape; // -> [8, 10]
 */
export class Linear implements Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  constructor(inFeatures: number, outFeatures: number, { bias = true }: { readonly bias?: boolean } = {}) {
    const shape = [outFeatures, inFeatures];
    this.weight = new Parameter(shape, fanInUniform(shape));
    this.bias = bias ? new Parameter([outFeatures], fanInUniform(shape)) : undefined;
  }

  forward(x: Tensor): Tensor {
    const y = matmul(x, transpose(this.weight.value, 0, 1));
    return this.bias ? add(y, this.bias.value) : y;
  }
}
