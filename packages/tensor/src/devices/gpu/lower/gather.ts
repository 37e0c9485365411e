// gather, its adjoint and argsort: kernels that cannot scatter look for what belongs to them. An index out of range reads 0
// and adds nowhere: a gpu cannot throw.
import { type Lowering, sources } from "../builder.ts";
import { freshPlace } from "../place.ts";
import { inside, nested } from "../text.ts";

const gather: Lowering<"gather"> = {
  lower({ inputs: [x, index], params: { axis }, outputs: [y] }, b) {
    const reads = sources([b.place(x!), b.place(index!)]);
    b.launch("gather", b.result(y!), y!.shape, reads, (at) => {
      const there = at.map((c, i) => (i === axis ? "k" : c));
      const value = `if (${inside("k", x!.shape[axis]!)}) { s = ${reads.read(0, there)}; }`;
      return [`const k = ${reads.read(1, at)};`, "let s = 0;", value, "return s;"];
    });
  },
};

/** Every element of the result walks the index of its row. */
const scatterAdd: Lowering<"scatterAdd"> = {
  lower({ inputs: [y, index], params: { axis }, outputs: [x] }, b) {
    const reads = sources([b.place(y!), b.place(index!)]);
    b.launch("scatterAdd", b.result(x!), x!.shape, reads, (at) => {
      const there = at.map((c, i) => (i === axis ? "r0" : c));
      const mine = `if (${reads.read(1, there)} === ${at[axis]}) { s = s + ${reads.read(0, there)}; }`;
      return ["let s = 0;", ...nested([y!.shape[axis]!], [mine]), "return s;"];
    });
  },
};

/** Two kernels: the rank of every element among its row, then for every rank the element that has it. */
const argsort: Lowering<"argsort"> = {
  lower({ inputs: [x], params: { axis, descending }, outputs: [y] }, b) {
    const n = x!.shape[axis]!;
    const along = (at: readonly string[]) => at.map((c, i) => (i === axis ? "r0" : c));
    const rank = freshPlace(x!.shape);
    const values = sources([b.place(x!)]);
    b.launch("argsort rank", rank, x!.shape, values, (at) => {
      // NaN counts as the largest; equal elements keep their order.
      const less = (p: string, q: string) => `(${p} < ${q} || (${p} === ${p} && ${q} !== ${q}))`;
      const [before, behind] = descending ? [less("me", "v"), less("v", "me")] : [less("v", "me"), less("me", "v")];
      return [
        `const me = ${values.read(0, at)};`,
        "let s = 0;",
        ...nested(
          [n],
          [
            `const v = ${values.read(0, along(at))};`,
            `if (${before} || (!${behind} && r0 < ${at[axis]})) { s = s + 1; }`,
          ],
        ),
        "return s;",
      ];
    });
    const ranks = sources([rank]);
    b.launch("argsort", b.result(y!), x!.shape, ranks, (at) => [
      "let s = 0;",
      ...nested([n], [`if (${ranks.read(0, along(at))} === ${at[axis]}) { s = r0; }`]),
      "return s;",
    ]);
  },
};

export const gatherKernels = { gather, scatterAdd, argsort };
