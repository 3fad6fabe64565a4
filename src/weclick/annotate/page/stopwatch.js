/** Working time in seconds. A pause counts as at most ten seconds, after which the annotator was probably away. */

export const MAX_PAUSE = 10;

/** Runs between start and stop; `activity` reports any input. All times are seconds on the same clock. */
export class Stopwatch {
  #total = 0;
  #lapStart = 0;
  #latest = null; // time of the latest activity; null while stopped

  /** @param {number} now */
  start(now) {
    this.#latest ??= now;
  }

  /** @param {number} now */
  stop(now) {
    this.activity(now);
    this.#latest = null;
  }

  /** @param {number} now */
  activity(now) {
    if (this.#latest === null) return;
    this.#total = this.seconds(now);
    this.#latest = now;
  }

  /**
   * @param {number} now
   * @returns {number} total time
   */
  seconds(now) {
    if (this.#latest === null) return this.#total;
    return this.#total + Math.min(Math.max(now - this.#latest, 0), MAX_PAUSE);
  }

  /**
   * @param {number} now
   * @returns {number} time since the last lap
   */
  lap(now) {
    this.activity(now);
    const seconds = this.#total - this.#lapStart;
    this.#lapStart = this.#total;
    return seconds;
  }
}
