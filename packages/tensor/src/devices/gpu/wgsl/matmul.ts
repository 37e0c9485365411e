// matmul in tiles. Operands are read where they lie, neighbouring threads along the axis that is packed.
import { sizeOf } from "../../../shape.ts";
import type { Place } from "../place.ts";
import type { Tuned } from "./overlay.ts";
import { strided, sum, whole } from "./text.ts";
import { type Operand, productLaunch } from "./tiles.ts";

/** A matrix of a batch; `cell` and `term` are its axes counted from the end. */
function operand({ shape, stride, offset }: Place, cell: 1 | 2, term: 1 | 2): Operand {
  const start = strided("z", { shape: shape.slice(0, -2), stride: stride.slice(0, -2), prefix: "b", offset });
  const [perCell, perTerm] = [stride.at(-cell)!, stride.at(-term)!];
  return {
    order: Math.abs(perTerm) === 1 && shape.at(-term)! > 1 ? "terms" : "cells",
    fields: ["base"],
    lines: [...start.lines, `let base = ${start.index} + ${sum(0, [perCell], ["cell"])};`],
    load: { lines: [], index: `at.base + ${sum(0, [perTerm], ["term"])}` },
  };
}

export const matmul: Tuned<"matmul"> = ({ inputs: [a, b], outputs: [y] }, builder) => {
  const [left, right] = [builder.place(a!), builder.place(b!)];
  const [rows, columns] = y!.shape.slice(-2) as [number, number];
  return productLaunch(builder, {
    name: "matmul",
    ...{ rows, columns, terms: a!.shape.at(-1)!, depth: sizeOf(y!.shape.slice(0, -2)) },
    left: operand(left, 2, 1),
    right: operand(right, 1, 2),
    store: { base: `z * ${whole(rows * columns)}`, perRow: columns, lines: [], index: "column" },
    reads: [left.root, right.root],
    result: builder.result(y!).root,
  });
};
