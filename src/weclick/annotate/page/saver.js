/**
 * Brings work to the server and loses none of it: one save at a time, tried again with growing delays.
 *
 * A save without an answer may have been stored. It is sent again as it was, which the server takes for what it is,
 * before anything newer is sent: so a retry neither doubles a click nor conflicts with itself. Until it is stored, the
 * browser keeps it too.
 */

import { ApiError } from "./api.js";
import { forget, keep } from "./unsaved.js";

const DELAYS = [0.5, 1, 2, 4, 8, 15]; // seconds
const VERDICTS = [404, 409, 413, 422]; // what was sent is refused, and would be refused again

/**
 * Work that the server refuses, until somebody decides about it; put aside, it is not asked about again.
 * @typedef {{work: import("./work.js").Work, error: ApiError, aside: boolean}} Conflict
 */

export class Saver {
  #waiting = new Map(); // id -> work
  #conflicts = new Map(); // id -> conflict
  #patient = new Set(); // ids to be saved as soon as somebody else lets go of them
  #unanswered = new Map(); // id -> {content, changes}: what was sent, and how new it was
  #awaited = []; // {id, resolve}
  #running = false;
  #failures = 0;
  #timer = null;

  /**
   * @param {(work: import("./work.js").Work) => import("./api.js").Content} content what to store of a work
   * @param {(id: string, content: import("./api.js").Content) => Promise<import("./api.js").Frame>} send
   * @param {() => void} changed told whenever the state is another
   * @param {() => void} conflictsChanged told when there is something else to decide
   */
  constructor(content, send, changed, conflictsChanged) {
    Object.assign(this, { content, send, changed, conflictsChanged });
    this.failure = null;
  }

  /** @returns {Conflict[]} what has to be decided, the oldest first */
  get conflicts() {
    return [...this.#conflicts.values()];
  }

  /** Why something is not stored, in one line; null when nothing stands in the way. */
  get problem() {
    return this.failure ?? this.conflicts[0]?.error.message ?? null;
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
    keep(work.id, this.content(work));
    if (!this.#conflicts.get(work.id)?.error.frame) this.#queue(work);
    this.hurry();
    this.changed();
  }

  /**
   * Store what an earlier visit could not, as soon as nobody else holds the frame: it may be held by that visit still.
   * @param {import("./work.js").Work} work
   */
  resume(work) {
    this.#patient.add(work.id);
    this.save(work);
  }

  /** Try again now: something is new, or the network is back. */
  hurry() {
    clearTimeout(this.#timer);
    this.#run();
  }

  /**
   * End a conflict: the work is given up.
   * @param {string} id
   */
  drop(id) {
    this.#conflicts.delete(id);
    forget(id);
    this.conflictsChanged();
    this.changed();
  }

  /**
   * End a conflict: the work replaces what is stored, as soon as nobody else holds the frame.
   * @param {string} id
   */
  insist(id) {
    const { work, error } = this.#conflicts.get(id);
    if (error.frame.leased_by === null) work.version = error.frame.version;
    else this.#patient.add(id);
    this.#queue(work);
    this.hurry();
    this.changed();
  }

  /**
   * @param {string} id
   * @returns {Promise<boolean>} true when the frame is stored as it is here, false when the server refuses it
   */
  stored(id) {
    return new Promise((resolve) => {
      this.#awaited.push({ id, resolve });
      this.#settle();
    });
  }

  #queue(work) {
    this.#waiting.set(work.id, work);
    if (this.#conflicts.delete(work.id)) this.conflictsChanged();
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#waiting.size && (await this.#sendFirst()));
    } catch (error) {
      this.#retryLater(); // the page is at fault, which is no reason to stop saving
      throw error;
    } finally {
      this.#running = false;
    }
  }

  async #sendFirst() {
    const [work] = this.#waiting.values();
    let sent;
    try {
      sent = this.#unanswered.get(work.id) ?? { changes: work.changes, content: this.content(work) };
      this.#unanswered.set(work.id, sent);
      work.version = versionOf(await this.send(work.id, sent.content));
    } catch (error) {
      return this.#failed(work, error);
    }
    this.#unanswered.delete(work.id);
    this.#patient.delete(work.id);
    if (work.changes === sent.changes) {
      this.#waiting.delete(work.id);
      forget(work.id);
    } else {
      keep(work.id, this.content(work)); // the version is another one now
    }
    this.#goesOn();
    return true;
  }

  /** @returns {boolean} whether the others can be sent now */
  #failed(work, error) {
    this.#waiting.delete(work.id);
    const refused = VERDICTS.includes(error.status);
    if (refused) this.#unanswered.delete(work.id);
    if (refused && !(this.#patient.has(work.id) && error.frame?.leased_by)) {
      this.#conflicts.set(work.id, { work, error, aside: false });
      this.#goesOn();
      this.conflictsChanged();
      return true;
    }
    this.#waiting.set(work.id, work); // behind the others, which may fare better
    this.failure = error.message;
    this.#retryLater();
    this.changed();
    return false;
  }

  #goesOn() {
    this.#failures = 0;
    this.failure = null;
    this.#settle();
    this.changed();
  }

  #retryLater() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#run(), 1000 * DELAYS[Math.min(this.#failures, DELAYS.length - 1)]);
    this.#failures += 1;
  }

  #settle() {
    const settled = this.#awaited.filter(({ id }) => !this.#waiting.has(id));
    this.#awaited = this.#awaited.filter(({ id }) => this.#waiting.has(id));
    for (const { id, resolve } of settled) resolve(!this.#conflicts.has(id));
  }
}

function versionOf(frame) {
  if (!Number.isInteger(frame?.version)) throw new ApiError("The server answers something else than a frame");
  return frame.version;
}
