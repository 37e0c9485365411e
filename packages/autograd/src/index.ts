// Everything @orepa/autograd offers.
export * from "./io/index.ts";
export * from "./nn/index.ts";
export * from "./optim/index.ts";
export { drawFixture, fixtureWeights, fnv1a } from "./testing/fixtures.ts";
