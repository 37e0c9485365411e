// RepBlock: a re-parameterized block made of a definition, which lists its branches.
import {
  BatchNorm2d,
  foldBatchNorm,
  Identity,
  loadStateDict,
  type Mode,
  type Module,
  type OnlineKernel,
  type Parameter,
  SiLU,
  stateDict,
  toDtype,
} from "@orepa/autograd";
import { add, cast, conv2d, mul, OpError, reshape, type Tensor, zeros } from "@orepa/tensor";
import { branchMap, type LinearBlock, type NormPlacement } from "./block.ts";
import { addUp, type Branch } from "./branch.ts";
import { type BranchSpec, branchName, buildBranch } from "./branches/table.ts";
import type { FrequencyPrior } from "./frequency-prior.ts";
import { type Geometry, type GeometryOptions, geometry, windowOptions } from "./geometry.ts";
import { checkLinear } from "./linearity.ts";
import { mergedKernel } from "./merge.ts";
import { type ScaleKind, scaleParameter, scaleRows } from "./scales.ts";

/** First values of the parameters. */
export interface BlockInit {
  /** Multiplies the first kernels of every branch (1). */
  readonly gain?: number;
  /** The first scales are multiplied by its square root (1). */
  readonly gamma?: number;
  /** Starts as a plain convolution: the first branch has scale 1, the others 0. */
  readonly single?: boolean;
}

/** Options of every block; the last ones concern the blocks that have such a part. */
export interface BlockOptions extends GeometryOptions {
  /** Names of branches: any subset, at least one; all if not given. */
  readonly branches?: readonly string[];
  /** Where the norms stand; each kind of block has its own default. */
  readonly norm?: NormPlacement;
  /** What multiplies each branch; a vector in most blocks with a norm after the sum, nothing in the others. */
  readonly scale?: ScaleKind;
  readonly eps?: number;
  readonly momentum?: number;
  /** A module of its own, or false for none; all blocks share one SiLU if not given. */
  readonly activation?: Module | false;
  readonly init?: BlockInit;
  /** Inner width of a 1x1-kxk branch; inChannels up to 4 groups, twice that beyond. */
  readonly internal?: number;
  /** Channels per input channel in a depthwise-separable branch (8), or how much wider a chain is than the block. */
  readonly expand?: number;
  /** The filters of a frequency prior ("published"). */
  readonly prior?: FrequencyPrior;
  /** Copies of the k x k kernel in MobileOne's blocks (4). */
  readonly copies?: number;
  /** Channels between the layers of a deep stem; outChannels if not given. */
  readonly width?: number;
  /** Whether the layers of a deep stem act mirrored, as published (false). */
  readonly mirrored?: boolean;
  /** Windows inside of a large-kernel block: their taps and spacing. */
  readonly windows?: readonly { readonly size: number; readonly spacing?: number }[];
}

/** A kind of block: its list of branches, and what it does if not told otherwise. */
export interface BlockDefinition {
  /** One word for reports and errors. */
  readonly title: string;
  /** The branches for a geometry (`norm` is filled in). */
  branches(geometry: Geometry, options: BlockOptions & { readonly norm: NormPlacement }): readonly BranchSpec[];
  /** Default placement of norms ("post"). */
  readonly norm?: NormPlacement;
  /** Default scale where the only norm is the one after the sum ("vector"). */
  readonly scale?: ScaleKind;
  /** Gain of the first values (1). */
  readonly gain?: number;
  /** Fields by which the block has its Variables, in their order, as `[branch.variable, field]`; by default branches are fields. */
  readonly fields?: readonly (readonly [path: string, field: string])[];
}

const sharedSiLU = new SiLU();
const sharedIdentity = new Identity();

/**
 * y = act(norm(sum over branches of scale * branch(x))). With the norm after the sum, branches merge into one kernel anew at every
 * step, and only that sees feature maps; with norms after the branches they run on feature maps. Either deploys as one convolution.
 *
 * The branches are fields under their names, so the state dict has `origin.weight` and the like; a definition may name them otherwise.
 *
 * @throws OpError for an even kernel size, groups that do not divide, an unknown or missing branch.
 * @example
 * const block = new RepBlock(blockDefinitions.dbb, 16, 32, { stride: 2 });
 * block.forward(zeros([1, 16, 8, 8]), "eval").shape; // -> [1, 32, 4, 4]
 */
export class RepBlock implements LinearBlock, OnlineKernel {
  // Declared only: the branches' fields come before these, and the state dict has the order of the fields.
  /** Scales, one row per branch: [branches, O] or, of kind scalar, [branches, 1]. */
  declare readonly vector: Parameter | undefined;
  declare readonly bn: BatchNorm2d | undefined;
  declare readonly norms: readonly (BatchNorm2d | undefined)[] | undefined;
  declare readonly act: Module;

  readonly #definition: BlockDefinition;
  readonly #geometry: Geometry;
  readonly #options: BlockOptions;
  readonly #branches: readonly Branch[];
  /** Positions of branches with norms of their own or inside: they run on feature maps. */
  readonly #offline: readonly number[];
  readonly #custom: ReadonlySet<number>;
  #held: Tensor | undefined;

  constructor(definition: BlockDefinition, inChannels: number, outChannels: number, options: BlockOptions = {}) {
    const { title, norm: usualNorm = "post", scale: usualScale = "vector", gain = 1, fields } = definition;
    const { norm = usualNorm, eps = 1e-3, momentum = 0.03, activation = sharedSiLU, init = {} } = options;
    const { scale = norm === "post" || norm === "none" ? usualScale : "none" } = options;
    const g = geometry(title, inChannels, outChannels, options);
    const normOptions = { eps, momentum };
    const specs = chosen(title, definition.branches(g, { ...options, norm }), options.branches);
    const context = { gain: gain * (init.gain ?? 1), normOptions };
    const branches = specs.map((spec) => buildBranch(g, spec, context));

    const vector = scale === "none" ? undefined : scaleParameter(scale, firstScales(specs, init), outChannels);
    const own = specs.map((spec, i) => [branchName(spec), branches[i]] as const);
    const named = fields?.map(
      ([path, field]) => [field, path === "vector" ? vector : variableAt(branches, path)] as const,
    );
    Object.assign(this, Object.fromEntries(named ?? own));
    this.vector = vector;
    const each = norm === "branch" || norm === "both";
    this.bn = norm === "post" || norm === "both" ? new BatchNorm2d(outChannels, normOptions) : undefined;
    this.norms = each
      ? specs.map((spec) => (spec.norm === false ? undefined : new BatchNorm2d(outChannels, normOptions)))
      : undefined;
    this.act = activation || sharedIdentity;

    this.#definition = definition;
    this.#geometry = g;
    this.#options = options;
    this.#branches = branches;
    this.#offline = branches.flatMap(({ bias }, i) => (bias || this.norms?.[i] ? [i] : []));
    this.#custom = new Set(specs.flatMap(({ kind }, i) => (kind === "custom" ? [i] : [])));
  }

  get kind(): string {
    return this.#definition.title;
  }

  get geometry(): Geometry {
    return this.#geometry;
  }

  /** What it was made with. */
  get options(): BlockOptions {
    return this.#options;
  }

  get branches(): readonly Branch[] {
    return this.#branches;
  }

  scales(): readonly (Tensor | undefined)[] {
    return this.vector ? scaleRows(this.vector.value) : this.#branches.map(() => undefined);
  }

  /** Computed from the parameters as they are now; in a compiled program it is part of the program. */
  kernel(): Tensor {
    return mergedKernel(this);
  }

  /** Those of the branches that merge before they see a feature map, and the scales where all branches do. */
  get onlineParameters(): readonly Parameter[] {
    const factors = this.#branches.flatMap((branch, i) => (this.#offline.includes(i) ? [] : branch.factors));
    return this.vector && this.#offline.length === 0 ? [...factors, this.vector] : factors;
  }

  /** The kernel of the branches that merge before they see a feature map; undefined where there are none. */
  onlineKernel(): Tensor | undefined {
    const scales = this.scales();
    const online = this.#branches.flatMap((branch, i) =>
      this.#offline.includes(i) ? [] : [{ branch, scale: scales[i] }],
    );
    if (online.length === 0) return undefined;
    return mergedKernel({
      branches: online.map(({ branch }) => branch),
      scales: () => online.map(({ scale }) => scale),
    });
  }

  /** Runs `fn` with `kernel` in the place of `onlineKernel()`: one merge for several forward passes. */
  withKernel<T>(kernel: Tensor, fn: () => T): T {
    const before = this.#held;
    this.#held = kernel;
    try {
      return fn();
    } finally {
      this.#held = before;
    }
  }

  /** [N, I, H, W] to [N, O, H', W'], H' = floor((H + 2 padding - dilation (k - 1) - 1) / stride) + 1. */
  forward(x: Tensor, mode: Mode): Tensor {
    const kernel = this.#held ?? this.onlineKernel();
    const online = kernel ? [() => conv2d(x, kernel, windowOptions(this.#geometry))] : [];
    const offline = this.#offline.map((i) => () => branchMap(this, i, x, mode));
    const y = addUp([...online, ...offline], (term) => term());
    return this.act.forward(this.bn?.forward(y, mode) ?? y, mode);
  }

  /** @throws OpError if a branch of your own is not linear. */
  merge(): { readonly weight: Tensor; readonly bias: Tensor } {
    const block = this.linearCopy();
    for (const i of this.#custom) checkLinear(this.kind, block.branches[i]!, this.#geometry);
    const { weight, bias } = block.branches
      .map((_, i) => block.mergedBranch(i))
      .reduce((sum, part) => ({ weight: add(sum.weight, part.weight), bias: add(sum.bias, part.bias) }));
    return block.bn ? foldBatchNorm(weight, bias, block.bn) : { weight, bias };
  }

  /** One branch with its scale and norm as a convolution, in float64. */
  mergedBranch(i: number): { readonly weight: Tensor; readonly bias: Tensor } {
    const scale = this.scales()[i];
    const weight = this.#branches[i]!.kernel(scale);
    const own = this.#branches[i]!.bias?.();
    const bias = own && scale ? mul(own, reshape(scale, [-1])) : own;
    const norm = this.norms?.[i];
    if (norm) return foldBatchNorm(weight, bias, norm);
    const zero = zeros([weight.shape[0]!], { dtype: "float64" });
    return { weight: cast(weight, "float64"), bias: bias ? cast(bias, "float64") : zero };
  }

  linearCopy(): RepBlock {
    const { inChannels, outChannels } = this.#geometry;
    const copy = new RepBlock(this.#definition, inChannels, outChannels, { ...this.#options, activation: false });
    loadStateDict(toDtype(copy, "float64"), new Map([...stateDict(this)].filter(([key]) => !key.startsWith("act."))));
    return copy;
  }
}

/** Fields that blocks have beside their branches. */
const reserved: readonly string[] = ["vector", "bn", "norms", "act", "forward"];

/** The chosen branches in the order of the definition. */
function chosen(
  title: string,
  all: readonly BranchSpec[],
  asked: readonly string[] = all.map(branchName),
): readonly BranchSpec[] {
  const names = all.map(branchName);
  const unknown = asked.find((name) => !names.includes(name)) ?? names.find((name, i) => names.indexOf(name) !== i);
  const taken = names.find((name) => name.includes(".") || reserved.includes(name));
  if (taken !== undefined) throw new OpError(title, `names without dots other than ${reserved.join(", ")}`, taken);
  if (unknown !== undefined || asked.length === 0)
    throw new OpError(title, `at least one branch of ${names.join(", ")}, each once`, unknown ?? "none");
  return all.filter((spec) => asked.includes(branchName(spec)));
}

/** v = sqrt(gamma) * the branch's first scale. */
const firstScales = (specs: readonly BranchSpec[], { gamma = 1, single = false }: BlockInit): readonly number[] =>
  specs.map(({ firstScale = 1 }, row) => (single ? Number(row === 0) : firstScale * Math.sqrt(gamma)));

/** The Variable `branch.variable`, if there is such a branch. */
function variableAt(branches: readonly Branch[], path: string): unknown {
  const [name, variable] = path.split(".") as [string, string];
  const branch = branches.find((one) => one.name === name);
  return branch && Reflect.get(branch, variable);
}
