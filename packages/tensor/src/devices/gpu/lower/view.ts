// Movement: all views are places but a reshape of strided data; pad and concat are kernels.
import type { Tensor } from "../../../tensor.ts";
import { type Builder, type Lowering, MAX_ARRAYS, sources } from "../builder.ts";
import { freshPlace, type Place, reshaped } from "../place.ts";
import { inside, quotient } from "../text.ts";

const expand: Lowering<"expand"> = {
  lower({ inputs: [x], outputs: [y] }, b) {
    const place = b.place(x!);
    const stride = place.stride.map((s, i) => (x!.shape[i] === y!.shape[i] ? s : 0));
    b.define(y!, { ...place, shape: y!.shape, stride });
  },
};
const reshape: Lowering<"reshape"> = {
  lower({ inputs: [x], outputs: [y] }, b) {
    const place = b.place(x!);
    const view = reshaped(place, y!.shape) ?? reshaped(b.copy(place, "reshape"), y!.shape);
    b.define(y!, view!); // row-major data takes any shape
  },
};
const permute: Lowering<"permute"> = {
  lower({ inputs: [x], params: { order }, outputs: [y] }, b) {
    const place = b.place(x!);
    b.define(y!, { ...place, shape: y!.shape, stride: order.map((i) => place.stride[i]!) });
  },
};
const flip: Lowering<"flip"> = {
  lower({ inputs: [x], params: { axes }, outputs: [y] }, b) {
    const place = b.place(x!);
    const start = axes.reduce((at, i) => at + Math.max(0, place.shape[i]! - 1) * place.stride[i]!, place.offset);
    const stride = place.stride.map((s, i) => (axes.includes(i) ? -s : s));
    b.define(y!, { ...place, offset: start, stride });
  },
};
const slice: Lowering<"slice"> = {
  lower({ inputs: [x], params: { axis, start, step }, outputs: [y] }, b) {
    const place = b.place(x!);
    const stride = place.stride.map((s, i) => (i === axis ? s * step : s));
    b.define(y!, { ...place, shape: y!.shape, offset: place.offset + start * place.stride[axis]!, stride });
  },
};
const split: Lowering<"split"> = {
  lower({ inputs: [x], params: { axis, sizes }, outputs }, b) {
    const place = b.place(x!);
    let { offset } = place;
    sizes.forEach((n, i) => {
      b.define(outputs[i]!, { ...place, shape: outputs[i]!.shape, offset });
      offset += n * place.stride[axis]!;
    });
  },
};
const detach: Lowering<"detach"> = {
  lower: ({ inputs: [x], outputs: [y] }, b) => b.define(y!, b.place(x!)),
};

const pad: Lowering<"pad"> = {
  lower({ inputs: [x], params: { axis, before, step }, outputs: [y] }, b) {
    const reads = sources([b.place(x!)]);
    b.launch("pad", b.result(y!), y!.shape, reads, (at) => {
      const n = x!.shape[axis]!;
      const lines = [`const p = ${at[axis]} - ${before};`, `const k = ${quotient("p", step)};`];
      const hit = step === 1 ? "" : ` && k * ${step} === p`;
      const there = at.map((c, i) => (i === axis ? "k" : c));
      return [...lines, "let s = 0;", `if (${inside("k", n)}${hit}) { s = ${reads.read(0, there)}; }`, "return s;"];
    });
  },
};

const concat: Lowering<"concat"> = {
  lower({ inputs, params: { axis }, outputs: [y] }, b) {
    const parts = inputs.filter((t) => t.size > 0);
    let places = parts.map((t: Tensor) => b.place(t));
    // A kernel of one array per part, and as many in turns as there are parts.
    while (places.length > MAX_ARRAYS)
      places = [join(places.slice(0, MAX_ARRAYS), axis, b), ...places.slice(MAX_ARRAYS)];
    b.define(y!, join(places, axis, b, b.result(y!)));
  },
};
function join(parts: readonly Place[], axis: number, b: Builder, result = joined(parts, axis)): Place {
  const reads = sources(parts);
  b.launch("concat", result, result.shape, reads, (at) => {
    let start = 0;
    const lines = parts.map(({ shape }, i) => {
      const first = start;
      start += shape[axis]!;
      const there = at.map((c, d) => (d === axis ? `k${i}` : c));
      const [from, c] = [`const k${i} = ${at[axis]} - ${first};`, at[axis]];
      return `if (${c} >= ${first} && ${c} < ${start}) { ${from} s = ${reads.read(i, there)}; }`;
    });
    return ["let s = 0;", ...lines, "return s;"];
  });
  return result;
}
const joined = (parts: readonly Place[], axis: number): Place =>
  freshPlace(parts[0]!.shape.map((n, d) => (d === axis ? parts.reduce((s, { shape }) => s + shape[axis]!, 0) : n)));

export const viewKernels = { expand, reshape, permute, flip, slice, split, detach, pad, concat };
