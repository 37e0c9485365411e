// Variable: the only mutable thing, a cell that holds a tensor.
import { currentTrace } from "./bind.ts";
import type { Dtype } from "./dtype.ts";
import { OpError } from "./errors.ts";
import { cast } from "./ops/pointwise.ts";
import { type Shape, sameShape, showShape } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import { Trace } from "./trace.ts";

/** A device that holds the newest value of Variables, or whoever makes a value when it is first asked for. */
export interface Holder {
  /** Brings a value home. @throws OpError if that takes waiting. */
  pull(variable: Variable): Tensor;
  /** Brings a value home, of devices that are waited for. */
  read?(variable: Variable): Promise<Tensor>;
}

/**
 * A cell holding a tensor. Inside a compiled function `value` is a symbol and `assign` is recorded; all assignments of
 * one program happen at once, at its end.
 *
 * @example
 * const count = new Variable(tensor(0));
 * count.assign(add(count.value, 1));
 * count.value; // -> 1
 */
export class Variable {
  /** Grows with every assignment; programs use it to know what is stale. */
  version = 0;
  #value: Tensor;
  #holder: Holder | undefined;

  constructor(value: Tensor) {
    if (!value.view) throw new OpError("Variable", "a tensor with data", "a symbol");
    // An identity of its own: gradients are keyed by tensor, and others may hold this one.
    this.#value = new Tensor(value.shape, value.dtype, value.view);
  }

  get shape(): Shape {
    return this.#value.shape;
  }

  get dtype(): Dtype {
    return this.#value.dtype;
  }

  /** The tensor held now; inside a compiled function, its symbol (after an `assign`, the assigned one). */
  get value(): Tensor {
    const trace = currentTrace();
    if (!(trace instanceof Trace)) return this.#home();
    const written = trace.writes.get(this);
    if (written) return written;
    let symbol = trace.reads.get(this);
    if (!symbol) {
      symbol = new Tensor(this.shape, this.dtype, undefined, trace);
      trace.reads.set(this, symbol);
    }
    return symbol;
  }

  /** The value, brought home from whatever device holds it. */
  async read(): Promise<Tensor> {
    const holder = this.#holder;
    if (!holder?.read) return this.#home();
    const { version } = this;
    const value = await holder.read(this);
    if (this.version === version) {
      this.#value = value;
      this.#holder = undefined;
    }
    return value;
  }

  /** Says that a device has assigned the value, or will make it, and keeps it until someone asks. */
  heldBy(holder: Holder): void {
    this.#holder = holder;
    this.version++;
  }

  #home(): Tensor {
    if (this.#holder) {
      this.#value = this.#holder.pull(this);
      this.#holder = undefined;
    }
    return this.#value;
  }

  /** Puts another tensor of the same shape and dtype into the cell. @throws OpError if shape or dtype differ. */
  assign(next: Tensor): void {
    if (!sameShape(next.shape, this.shape) || next.dtype !== this.dtype)
      throw new OpError("assign", `${showShape(this.shape)} ${this.dtype}`, `${showShape(next.shape)} ${next.dtype}`);
    const trace = currentTrace();
    if (trace instanceof Trace) {
      trace.writes.set(this, next);
    } else this.#set(next);
  }

  /** Changes the dtype, value cast along. Not inside a compiled function. */
  to(dtype: Dtype): void {
    if (currentTrace()) throw new OpError("Variable.to", "to be called outside of compile", "a call inside a trace");
    if (dtype !== this.dtype) this.#set(cast(this.#home(), dtype));
  }

  #set(next: Tensor): void {
    if (!next.view) throw new OpError("assign", "a tensor with data", "a symbol", "it leaked out of compile");
    this.#value = next;
    this.#holder = undefined;
    this.version++;
  }
}
