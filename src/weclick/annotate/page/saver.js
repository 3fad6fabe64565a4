/**
 * Brings work to the server and loses none of it: one save at a time, tried again with growing delays.
 *
 * A save without an answer may have been stored. It is sent again as it was, which the server takes for what it is,
 * before anything newer is sent: so a retry neither doubles a click nor conflicts with itself.
 */

import { ApiError } from "./api.js";

const DELAYS = [0.5, 1, 2, 4, 8, 15]; // seconds

export class Saver {
  #waiting = new Map(); // id -> work
  #conflicts = new Map(); // id -> work
  #unanswered = new Map(); // id -> {content, changes}: what was sent, and how new it was
  #awaited = []; // {id, resolve}
  #running = false;
  #failures = 0;
  #timer = null;

  /**
   * @param {(work: import("./work.js").Work) => object} content what to store of a work
   * @param {(id: string, content: object) => Promise<import("./api.js").Frame>} send
   * @param {() => void} changed told whenever the state is another
   * @param {(work: import("./work.js").Work, error: ApiError) => void} conflict told when the server has other content
   */
  constructor(content, send, changed, conflict) {
    Object.assign(this, { content, send, changed, conflict });
    this.failure = null;
  }

  /** Why something is not stored, in one line; null when nothing stands in the way. */
  get problem() {
    return this.failure ?? (this.#conflicts.size ? "somebody else changed this frame" : null);
  }

  /** Number of frames that are not stored as they are here. */
  get unsaved() {
    return new Set([...this.#waiting.keys(), ...this.#conflicts.keys()]).size;
  }

  /**
   * @param {string} id
   * @returns {boolean} whether a frame is not stored as it is here
   */
  holds(id) {
    return this.#waiting.has(id) || this.#conflicts.has(id);
  }

  /** @param {import("./work.js").Work} work to be stored as it is by then */
  save(work) {
    work.changes += 1;
    if (!this.#conflicts.has(work.id)) this.#waiting.set(work.id, work);
    this.changed();
    this.hurry();
  }

  /** Try again now: something is new, or the network is back. */
  hurry() {
    clearTimeout(this.#timer);
    this.#run();
  }

  /**
   * End a conflict.
   * @param {string} id
   * @param {number | null} version save the work over this version; null drops the work
   */
  resolve(id, version) {
    const work = this.#conflicts.get(id);
    this.#conflicts.delete(id);
    if (version === null) {
      this.changed();
      this.#settle(false);
    } else {
      work.version = version;
      this.save(work);
    }
  }

  /**
   * @param {string} id
   * @returns {Promise<boolean>} true when the frame is stored as it is here, false when what is here was dropped
   */
  stored(id) {
    return new Promise((resolve) => {
      this.#awaited.push({ id, resolve });
      this.#settle();
    });
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    while (this.#waiting.size && (await this.#sendFirst()));
    this.#running = false;
  }

  async #sendFirst() {
    const [work] = this.#waiting.values();
    const sent = this.#unanswered.get(work.id) ?? { changes: work.changes, content: this.content(work) };
    this.#unanswered.set(work.id, sent);
    try {
      work.version = (await this.send(work.id, sent.content)).version;
    } catch (error) {
      return this.#failed(work, error);
    }
    this.#unanswered.delete(work.id);
    if (work.changes === sent.changes) this.#waiting.delete(work.id);
    this.#failures = 0;
    this.failure = null;
    this.changed();
    this.#settle();
    return true;
  }

  #failed(work, error) {
    if (!(error instanceof ApiError)) throw error;
    this.#waiting.delete(work.id);
    if (!error.unanswered) this.#unanswered.delete(work.id);
    if (error.frame) {
      this.#conflicts.set(work.id, work);
      this.conflict(work, error);
    } else {
      this.#waiting.set(work.id, work); // behind the others, which may fare better
      this.failure = error.message;
      this.#timer = setTimeout(() => this.#run(), 1000 * DELAYS[Math.min(this.#failures, DELAYS.length - 1)]);
      this.#failures += 1;
    }
    this.changed();
    return Boolean(error.frame);
  }

  #settle(outcome = true) {
    const settled = this.#awaited.filter(({ id }) => !this.holds(id));
    this.#awaited = this.#awaited.filter(({ id }) => this.holds(id));
    for (const { resolve } of settled) resolve(outcome);
  }
}
