// What went wrong without a mistake of the user or a defect: a thread that died. One line, exit code 1.

export class Failure extends Error {
  override readonly name = "Failure";
}
