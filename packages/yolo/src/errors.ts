// The one error class for mistakes of the user: a wrong file, name or value. Programming errors are plain errors.

/**
 * A mistake of the user, said in one line: what was expected, what came, what to do.
 * The command prints the message alone; any other error comes with its stack.
 */
export class UserError extends Error {
  override readonly name = "UserError";
}
