// Everything @orepa/autograd offers.
export { type CustomVjpArguments, customVjp } from "./custom-vjp.ts";
export { type Differentiable, grad, type ValueAndGrad, valueAndGrad } from "./grad.ts";
export { GradcheckError, type GradcheckOptions, gradcheck, type WorstElement } from "./gradcheck.ts";
export * from "./io/index.ts";
export * from "./nn/index.ts";
export * from "./optim/index.ts";
export { type ComposedCase, composedCases } from "./testing/composed-cases.ts";
export { drawFixture, fixtureWeights, fnv1a } from "./testing/fixtures.ts";
export { isSample, type OpCase, type OpMistake, type OpSample } from "./testing/op-case.ts";
export { opCases } from "./testing/op-cases.ts";
export { type SampleFunctions, sampleFunctions } from "./testing/sample-functions.ts";
export { isDifferentiable, type Vjp, type VjpArguments, vjps } from "./vjps.ts";
