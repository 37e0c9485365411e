// Activations as modules. They hold no state; a network may share one instance.
import { gelu, hardSwish, leakyRelu, relu, sigmoid, silu, softmax, type Tensor, tanh } from "@orepa/tensor";
import type { Module } from "./module.ts";

/** x sigmoid(x) (Elfwing et al. 2018), the activation of YOLO11. */
export class SiLU implements Module {
  forward(x: Tensor): Tensor {
    return silu(x);
  }
}

/** max(x, 0). */
export class ReLU implements Module {
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** x where positive, slope * x elsewhere. */
export class LeakyReLU implements Module {
  readonly slope: number;

  constructor(slope = 0.01) {
    this.slope = slope;
  }

  forward(x: Tensor): Tensor {
    return leakyRelu(x, { slope: this.slope });
  }
}

/** 1 / (1 + exp(-x)). */
export class Sigmoid implements Module {
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/** Hyperbolic tangent. */
export class Tanh implements Module {
  forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

/** x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019). */
export class Hardswish implements Module {
  forward(x: Tensor): Tensor {
    return hardSwish(x);
  }
}

/** x times the standard normal distribution function (Hendrycks and Gimpel 2016), as the tensor package composes it. */
export class GELU implements Module {
  forward(x: Tensor): Tensor {
    return gelu(x);
  }
}

/** Softmax over one axis. */
export class Softmax implements Module {
  readonly dim: number;

  constructor(dim: number) {
    this.dim = dim;
  }

  forward(x: Tensor): Tensor {
    return softmax(x, this.dim);
  }
}

/** x itself: the place of an activation or a layer that is left out. */
export class Identity implements Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}
