// The three convolutions as one plain loop over their multiply-adds, NCHW, scalar: any kernel size, stride, dilation and
// groups. It is what the fast kernels are compared with, and what runs where they do not reach.
import { define, type FunctionBuilder, integers } from "../assembler.ts";
import { type Local, load, op, type Value } from "../values.ts";

type Address = Value<"i32">;
/** Called inside all loops with the addresses of the input, weight and output element of one multiply-add. */
type Term = (f: FunctionBuilder, x: Address, w: Address, y: Address) => void;

// ((a * size + b) * size + c) ...: the row-major index of coordinates given with the size of their axis.
const index = (first: Address, ...rest: readonly (readonly [size: Local<"i32">, at: Address])[]): Address =>
  rest.reduce((sum, [size, at]) => op("i32.add", op("i32.mul", sum, size), at), first);
const element = (base: Address, at: Address): Address => op("i32.add", base, op("i32.shl", at, 2));

/** `C` and `O` count the channels of one group; a stride, padding or dilation has one number per axis. */
const tapLoop = (term: Term) =>
  define(
    integers(
      ...(["x", "w", "y", "N", "groups", "C", "H", "W", "O", "kh", "kw", "Ho", "Wo"] as const),
      ...(["strideH", "strideW", "paddingH", "paddingW", "dilationH", "dilationW"] as const),
    ),
    (f, { x, w, y, N, groups, C, H, W, O, kh, kw, Ho, Wo, ...window }) => {
      const [n, group, o, i, j, c, u, v] = f.locals("i32", 8);
      const [row, column, channel, output] = f.locals("i32", 4);
      const position = (at: Address, stride: Address, tap: Address, dilation: Address, padding: Address) =>
        op("i32.sub", op("i32.add", op("i32.mul", at, stride), op("i32.mul", tap, dilation)), padding);
      const inside = op("i32.and", op("i32.lt_u", row, H), op("i32.lt_u", column, W)); // unsigned: negatives are large
      const multiplyAdd = () => {
        f.set(row, position(i, window.strideH, u, window.dilationH, window.paddingH));
        f.set(column, position(j, window.strideW, v, window.dilationW, window.paddingW));
        f.if(inside, () =>
          term(
            f,
            element(x, index(index(n, [groups, group]), [C, c], [H, row], [W, column])),
            element(w, index(channel, [C, c], [kh, u], [kw, v])),
            element(y, index(output, [Ho, i], [Wo, j])),
          ),
        );
      };
      const setChannels = () => {
        f.set(channel, index(group, [O, o]));
        f.set(output, index(index(n, [groups, group]), [O, o]));
      };
      const loops: [Local<"i32">, Local<"i32">][] = [
        [n, N],
        [group, groups],
        [o, O],
        [i, Ho],
        [j, Wo],
        [c, C],
        [u, kh],
        [v, kw],
      ];
      const nest = (depth: number): void => {
        const loop = loops[depth];
        if (!loop) multiplyAdd();
        else
          f.for(...loop, () => {
            if (loop[0] === o) setChannels();
            nest(depth + 1);
          });
      };
      nest(0);
    },
  );
const add = (f: FunctionBuilder, sum: Address, a: Address, b: Address) =>
  f.store(
    "f32.store",
    sum,
    op("f32.add", load("f32.load", sum), op("f32.mul", load("f32.load", a), load("f32.load", b))),
  );

/** y += x * w. */
export const naiveConv = tapLoop((f, x, w, y) => add(f, y, x, w));
/** x += the adjoint of the convolution in x, applied to y. */
export const naiveConvInput = tapLoop((f, x, w, y) => add(f, x, y, w));
/** w += the adjoint of the convolution in w, applied to y. */
export const naiveConvWeight = tapLoop((f, x, w, y) => add(f, w, x, y));
