/** Time somebody spent, in seconds. A pause counts as ten seconds at most: then the person was elsewhere. */

export const LONGEST_PAUSE = 10;

/** Runs between start and stop; every sign of life is told to it with `note`. Times are seconds on any one clock. */
export class Clock {
  #spent = 0;
  #lapStart = 0;
  #latest = null;

  /** @param {number} now */
  start(now) {
    this.#latest ??= now;
  }

  /** @param {number} now */
  stop(now) {
    this.note(now);
    this.#latest = null;
  }

  /** @param {number} now */
  note(now) {
    if (this.#latest === null) return;
    this.#spent = this.seconds(now);
    this.#latest = now;
  }

  /**
   * @param {number} now
   * @returns {number} time spent so far
   */
  seconds(now) {
    if (this.#latest === null) return this.#spent;
    return this.#spent + Math.min(Math.max(now - this.#latest, 0), LONGEST_PAUSE);
  }

  /**
   * @param {number} now
   * @returns {number} time spent since the last lap
   */
  lap(now) {
    this.note(now);
    const took = this.#spent - this.#lapStart;
    this.#lapStart = this.#spent;
    return took;
  }
}
