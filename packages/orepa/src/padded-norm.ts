// PaddedNorm: a batch norm before a padded window, which merges exactly because it pads with what a zero input would become.
import { BatchNorm2d, type Mode } from "@orepa/autograd";
import { add, detach, div, mul, pad, reshape, sqrt, sub, type Tensor } from "@orepa/tensor";

/** A norm inside of a branch. */
export class PaddedNorm extends BatchNorm2d {
  /**
   * The norm of x [N, C, H, W], then `padding` pixels of the value that its running statistics (after this step's update) give a zero
   * input: beta - mean gamma / sigma. In train mode that value counts as a constant in gradients, as published (arXiv 2103.13425).
   */
  padded(x: Tensor, mode: Mode, padding: number): Tensor {
    const y = this.forward(x, mode);
    if (padding === 0) return y;
    const { shift } = this.fold();
    const border = reshape(mode === "train" ? detach(shift) : shift, [1, this.channels, 1, 1]);
    const inner = [2, 3].reduce((map, axis) => pad(map, axis, padding, padding), sub(y, border));
    return add(inner, border);
  }

  /** The norm in eval mode: y = gain x + shift, per channel [C]. */
  fold(): { readonly gain: Tensor; readonly shift: Tensor } {
    const gain = div(this.weight.value, sqrt(add(this.running_var.value, this.eps)));
    return { gain, shift: sub(this.bias.value, mul(this.running_mean.value, gain)) };
  }
}
