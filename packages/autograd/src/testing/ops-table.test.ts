// docs/OPS.md: what every primitive is on every device, written from the tables that the tests of the devices run through.
// `npx vitest run packages/autograd/src/testing/ops-table.test.ts -u` writes it anew.
import { type PrimitiveName, primitives } from "@orepa/tensor";
import { expect, test } from "vitest";
import { gpuKernels } from "../../../tensor/src/devices/gpu/table.ts";
import { type GpuTestMode, tolerance } from "./gpu-accuracy.cases.ts";
import { isSample } from "./op-case.ts";
import { opCases } from "./op-cases.ts";

const modes: readonly GpuTestMode[] = ["gpu:cpu", "gpu:webasm", "gpu:webgpu"];
const names = Object.keys(primitives) as PrimitiveName[];
const onGpu = (name: PrimitiveName): string => {
  if ("expression" in gpuKernels[name]) return "expression";
  if (name === "hostCall") return "read back";
  return primitives[name].kind === "view" ? "view" : "kernels";
};
const text = (limit: number): string => (limit === 0 ? "equal" : limit.toExponential(1));
const row = (name: PrimitiveName): string => {
  const samples = (opCases[name] as readonly Parameters<typeof isSample>[0][]).filter(isSample);
  const limits = modes.map((mode) => text(tolerance(name, mode)));
  const cells = [`\`${name}\``, primitives[name].doc.replaceAll("|", "\\|"), onGpu(name), samples.length, ...limits];
  return `| ${cells.join(" | ")} |`;
};

test("docs/OPS.md says what the tests hold", async () => {
  const page = `# Primitives on every device

Written by \`packages/autograd/src/testing/ops-table.test.ts\`. Every case of every primitive runs on each device and in each mode,
and so do its gradients and all composed ops. The last columns are the largest deviation from the reference that the tests allow, as
part of the largest value. \`cpu\` is the reference itself (float64 or float32); \`wasm\` is held to the same bounds as \`gpu:cpu\`.

On a gpu a primitive is an *expression* inside the kernel of whoever stores or sums its value, a *view* (index arithmetic in the
kernel that reads it; a reshape of strided data copies), *kernels* of its own, or values *read back* for a function of the host.
\`gpu:webgpu\` is tested where the package \`webgpu\` and an adapter are there; infinities and NaN are not compared on it, for WGSL
need not have them, and its \`sin\` and \`cos\` are as coarse as WGSL allows. An index out of range reads 0 and adds nowhere on a gpu,
which cannot throw.

| primitive | computes | on a gpu | cases | ${modes.join(" | ")} |
| --- | --- | --- | --: | ${modes.map(() => "--:").join(" | ")} |
${names.map(row).join("\n")}
`;
  await expect(page).toMatchFileSnapshot("../../../../docs/OPS.md");
});
