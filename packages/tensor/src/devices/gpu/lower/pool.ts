// Pooling, its adjoints, and the pair of upsampling and block sums: all as gathers.
import { type At4, type Lowering, shape4, sources } from "../builder.ts";
import { inside, nested, quotient } from "../text.ts";

const maxPool: Lowering<"maxPool"> = {
  lower({ inputs: [input], params: { size, stride, padding }, outputs }, b) {
    const reads = sources([b.place(input!)]);
    const [, , H, W] = shape4(input!.shape);
    // One kernel writes one buffer: the places of the maxima are a second one.
    for (const [i, result] of (["best", "place"] as const).entries())
      b.launch("maxPool", b.result(outputs[i]!), outputs[i]!.shape, reads, (at) => {
        const [n, c, y0, x0] = at as unknown as At4;
        return [
          "let best = 0;",
          "let place = (-1);",
          ...nested(size, [
            `const y = ${y0} * ${stride[0]} + r0 - ${padding[0]};`,
            `const x = ${x0} * ${stride[1]} + r1 - ${padding[1]};`,
            `if (${inside("y", H)} && ${inside("x", W)}) {`,
            `const v = ${reads.read(0, [n, c, "y", "x"])};`,
            // The first of equals; NaN wins.
            "if (place < 0 || v > best || (v !== v && best === best)) {",
            "best = v;",
            `place = y * ${W} + x;`,
            "}",
            "}",
          ]),
          `return ${result};`,
        ];
      });
  },
};

const maxUnpool: Lowering<"maxUnpool"> = {
  lower({ inputs: [y, index], params: { size, stride, padding }, outputs: [x] }, b) {
    const reads = sources([b.place(y!), b.place(index!)]);
    const [, , Ho, Wo] = shape4(y!.shape);
    const W = x!.shape[3]!;
    b.launch("maxUnpool", b.result(x!), x!.shape, reads, (at) => {
      const [n, c, i, j] = at as unknown as At4;
      const there = [n, c, "y", "x"];
      const exact = ["y", "x"].map((v, axis) => (stride[axis] === 1 ? "" : ` && ${v} * ${stride[axis]} === p${v}`));
      return [
        "let s = 0;",
        `const me = ${i} * ${W} + ${j};`,
        ...nested(size, [
          `const py = ${i} + ${padding[0]} - r0;`,
          `const px = ${j} + ${padding[1]} - r1;`,
          `const y = ${quotient("py", stride[0])};`,
          `const x = ${quotient("px", stride[1])};`,
          `if (${inside("y", Ho)} && ${inside("x", Wo)}${exact.join("")}) {`,
          `if (${reads.read(1, there)} === me) { s = s + ${reads.read(0, there)}; }`,
          "}",
        ]),
        "return s;",
      ];
    });
  },
};

const maxGather: Lowering<"maxGather"> = {
  lower({ inputs: [x, index], outputs: [y] }, b) {
    const reads = sources([b.place(x!), b.place(index!)]);
    const W = x!.shape[3]!;
    b.launch("maxGather", b.result(y!), y!.shape, reads, (at) => [
      `const k = ${reads.read(1, at)};`,
      `const y = ${quotient("k", W)};`,
      `const x = k - y * ${W};`,
      `return ${reads.read(0, [at[0]!, at[1]!, "y", "x"])};`,
    ]);
  },
};

const upsample: Lowering<"upsample"> = {
  lower({ inputs: [x], params: { by }, outputs: [y] }, b) {
    const reads = sources([b.place(x!)]);
    b.launch("upsample", b.result(y!), y!.shape, reads, (at) => {
      const [n, c, i, j] = at as unknown as At4;
      return [
        `const y = ${quotient(i, by)};`,
        `const x = ${quotient(j, by)};`,
        `return ${reads.read(0, [n, c, "y", "x"])};`,
      ];
    });
  },
};

const sumPool: Lowering<"sumPool"> = {
  lower({ inputs: [x], params: { by }, outputs: [y] }, b) {
    const reads = sources([b.place(x!)]);
    b.launch("sumPool", b.result(y!), y!.shape, reads, (at) => {
      const [n, c, i, j] = at as unknown as At4;
      return [
        "let s = 0;",
        ...nested(
          [by, by],
          [
            `const y = ${i} * ${by} + r0;`,
            `const x = ${j} * ${by} + r1;`,
            `s = s + ${reads.read(0, [n, c, "y", "x"])};`,
          ],
        ),
        "return s;",
      ];
    });
  },
};

export const poolKernels = { maxPool, maxUnpool, maxGather, upsample, sumPool };
