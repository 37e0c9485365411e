// docs/OPS.md: what every primitive is on every device, written from the tables that the tests of the devices run through.
// `npx vitest run packages/autograd/src/testing/ops-table.test.ts -u` writes it anew.
import { type PrimitiveName, primitives } from "@orepa/tensor";
import { expect, test } from "vitest";
import { gpuKernels } from "../../../tensor/src/devices/gpu/table.ts";
import { type GpuTestMode, tolerance } from "./gpu-accuracy.cases.ts";
import { isSample } from "./op-case.ts";
import { opCases } from "./op-cases.ts";

const modes: readonly GpuTestMode[] = ["gpu:cpu", "gpu:webasm", "gpu:webgl2", "gpu:webgpu"];
const names = Object.keys(primitives) as PrimitiveName[];
const onGpu = (name: PrimitiveName): string => {
  if ("expression" in gpuKernels[name]) return "expression";
  if (name === "hostCall") return "read back";
  return primitives[name].kind === "view" ? "view" : "kernels";
};
const text = (limit: number): string => (limit === 0 ? "equal" : limit.toExponential(1));
const row = (name: PrimitiveName): readonly string[] => {
  const samples = (opCases[name] as readonly Parameters<typeof isSample>[0][]).filter(isSample);
  const limits = modes.map((mode) => text(tolerance(name, mode)));
  return [`\`${name}\``, primitives[name].doc.replaceAll("|", "\\|"), onGpu(name), `${samples.length}`, ...limits];
};
/** Columns behind these are numbers. */
const TEXTS = 3;
/** A table in Markdown, its columns aligned. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) => Math.max(3, ...[head, ...rows].map((cells) => cells[i]!.length)));
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const pad = (cell: string, i: number) => (i < TEXTS ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!));
  const rule = widths.map((width, i) => (i < TEXTS ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [head.map(pad), rule, ...rows.map((cells) => cells.map(pad))].map(line).join("\n");
}

test("docs/OPS.md says what the tests hold", async () => {
  const page = `# Primitives on every device

Written by \`packages/autograd/src/testing/ops-table.test.ts\`. Every case of every primitive runs in each of these modes,
and so do its gradients and all composed ops. The last columns are the largest deviation from the reference that the tests allow, as
part of the largest value; the reference is device \`cpu\` in float32. Device \`wasm\` has tests of its own over the same cases.

On a gpu a primitive is an _expression_ inside the kernel of whoever stores or sums its value, a _view_ (index arithmetic in the
kernel that reads it; a reshape of strided data copies), _kernels_ of its own, or values _read back_ for a function of the host.
\`gpu:webgl2\` and \`gpu:webgpu\` are tested in Chromium, \`gpu:webgpu\` in Node as well where the package \`webgpu\` and an adapter
are there. Infinities and NaN are not compared on these two, for shaders need not have them, and their \`sin\` and \`cos\` are as
coarse as WGSL allows. An index out of range reads 0 and adds nowhere on a gpu, which cannot throw.

${table(["primitive", "computes", "on a gpu", "cases", ...modes], names.map(row))}
`;
  await expect(page).toMatchFileSnapshot("../../../../docs/OPS.md");
});
