// Memory of dead values, given to new ones: a program settles on a small set of arrays that stay in the caches, and the
// garbage collector has little to do. Arrays that leave the program (outputs, Variables) are never taken back.
import { allocate, type Dtype, type TypedArray } from "../../dtype.ts";
import type { Concrete } from "../../tensor.ts";

export class ArrayPool {
  readonly #free = new Map<string, TypedArray[]>();
  /** Arrays given out, with the number of live values that look at their memory. */
  readonly #users = new Map<ArrayBufferLike, { readonly array: TypedArray; readonly key: string; count: number }>();

  /** An array for a kernel to fill. */
  readonly allocate = (dtype: Dtype, length: number): TypedArray => {
    const key = `${dtype} ${length}`;
    const array = this.#free.get(key)?.pop() ?? allocate(dtype, length);
    this.#users.set(array.buffer, { array, key, count: 0 });
    return array;
  };

  /** A value begins to look at its memory. */
  retain({ view }: Concrete): void {
    const user = this.#users.get(view.data.buffer);
    if (user) user.count++;
  }

  /** A value is dead: memory that no other value looks at may be given out again. */
  release({ view }: Concrete): void {
    const { buffer } = view.data;
    const user = this.#users.get(buffer);
    if (!user || --user.count > 0) return;
    this.#users.delete(buffer);
    const list = this.#free.get(user.key);
    if (list) list.push(user.array);
    else this.#free.set(user.key, [user.array]);
  }

  /** A run has ended: what is still in use belongs to others now. */
  forget(): void {
    this.#users.clear();
  }
}
