// Copies of a function for V8: each copy collects type feedback of its own.
//
// V8 compiles a function once for all the types it has seen. A loop that met Float32Array and Float64Array, or three
// different callbacks, runs several times slower for all of them. A copy made by `new Function` starts with clean feedback.
// Where a page's content security policy forbids that, the function itself serves: slower, same results.

// Names that test runners and coverage tools write into a function's text and that a copy could not resolve.
const FOREIGN = /\b(__vi|__vite|cov_|__cov|__name\b|stryMutAct)/;
let copies = 0;

/** A copy of `f` with feedback of its own. `f` may refer to nothing but its arguments and globals. */
export function copyFunction<F extends (...inputs: never[]) => unknown>(f: F): F {
  const text = f.toString();
  if (FOREIGN.test(text)) return f;
  try {
    // The number makes the text unique: V8 caches compiled text together with its feedback.
    return new Function(`"use strict"; return (${text}); // copy ${copies++}`)() as F;
  } catch (error) {
    if (error instanceof EvalError) return f;
    throw error;
  }
}

/** Calls `make` once per combination of array types and keeps what it made. */
export function perArrayTypes<K>(make: () => K): (...arrays: readonly object[]) => K {
  const made = new Map<string, K>();
  return (...arrays) => {
    let key = "";
    for (const array of arrays)
      key += array.constructor.name[0]! + (array as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT;
    let kernel = made.get(key);
    if (kernel === undefined) {
      kernel = make();
      made.set(key, kernel);
    }
    return kernel;
  };
}
