// Fault says by its code why something was not accepted.
export class Fault extends Error {
  constructor(code) { super(code); this.code = code; }
}
