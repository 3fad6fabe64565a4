/**
 * Sends work to the server, one save at a time, and tries again with growing delays.
 *
 * A save without a response may have been stored. It is therefore sent again unchanged before anything newer; the
 * server accepts a save that is already stored. So a retry never duplicates a click and never conflicts with itself.
 * Until a frame is stored, it is also kept in the browser.
 */

import { ApiError } from "./api.js";
import { keepUnsaved, removeUnsaved } from "./unsaved.js";

const DELAYS = [0.5, 1, 2, 4, 8, 15]; // seconds
const FINAL = [404, 409, 413, 422]; // statuses with which the same save would be refused again

/**
 * A frame that is not stored as it is here. Its state: "due" is sent now, "later" after a delay, "waiting" once nobody
 * else has leased the frame; "refused" needs a decision of the user.
 * @typedef {{work: import("./work.js").Work, state: "due" | "later" | "waiting" | "refused", error: ApiError | null,
 *   sent: {content: import("./api.js").Content, changes: number} | null, waits: boolean, dismissed: boolean}} Task
 *   `error` is the latest one; `sent` may have been stored, with the number of changes it contains; `waits`: wait if
 *   the frame is leased, instead of asking the user; `dismissed`: the user was asked and has not decided
 */

export class Saver {
  #tasks = new Map(); // id -> task; the one that failed latest is the last
  #waiting = []; // {id, resolve}
  #running = false;
  #failures = 0;
  #timer = null;

  /**
   * @param {(work: import("./work.js").Work) => import("./api.js").Content} content what to store of a work
   * @param {(id: string, content: import("./api.js").Content) => Promise<import("./api.js").Frame>} send
   * @param {() => void} changed called whenever the state has changed
   * @param {() => void} conflictsChanged called when the conflicts have changed
   */
  constructor(content, send, changed, conflictsChanged) {
    Object.assign(this, { content, send, changed, conflictsChanged });
  }

  /** @returns {Task[]} refused saves that the user has to decide about, the oldest first */
  get conflicts() {
    return this.#all.filter(({ state }) => state === "refused");
  }

  /** The failure of the server, in one line; null if it works. */
  get failure() {
    const failed = this.#all.find(({ state, error }) => state !== "refused" && error && !error.frame);
    return failed?.error.message ?? null;
  }

  /** Why something is not stored, in one line; null if nothing has failed. */
  get problem() {
    return this.failure ?? this.#all.find(({ error }) => error)?.error.message ?? null;
  }

  /** Number of frames that are not stored as they are here. */
  get unsaved() {
    return this.#tasks.size;
  }

  /**
   * @param {string} id
   * @returns {boolean} whether a frame is not stored as it is here
   */
  isUnsaved(id) {
    return this.#tasks.has(id);
  }

  /** @param {import("./work.js").Work} work the work, which is read when it is sent */
  save(work) {
    work.changes += 1;
    const task = this.#taskOf(work);
    this.#keep(task);
    if (task.state !== "refused" || !task.error.frame) this.#queue(task);
    this.#run();
    this.changed();
  }

  /**
   * Save the work of an earlier visit, once nobody else has leased the frame: that visit may still have its lease.
   * @param {import("./work.js").Work} work
   * @param {import("./unsaved.js").Leftover} leftover
   */
  resume(work, { owner, kept }) {
    const task = this.#taskOf(work);
    task.waits = true;
    if (kept.sent) task.sent = { content: kept.sent, changes: work.changes };
    this.save(work);
    removeUnsaved(work.id, owner);
  }

  /** Retry all without delay, for example when the network is back. */
  retryNow() {
    for (const task of this.#all.filter(({ state }) => state !== "refused")) task.state = "due";
    this.#run();
  }

  /**
   * End a conflict by discarding the work.
   * @param {string} id
   */
  discard(id) {
    this.#tasks.delete(id);
    removeUnsaved(id);
    this.conflictsChanged();
    this.changed();
  }

  /**
   * End a conflict by overwriting the stored version, once nobody else has leased the frame.
   * @param {string} id
   */
  overwrite(id) {
    const task = this.#tasks.get(id);
    const { frame } = task.error;
    if (frame.leased_by === null) task.work.version = frame.version;
    else task.waits = true;
    this.#queue(task);
    this.#run();
    this.changed();
  }

  /**
   * @param {string} id
   * @returns {Promise<boolean>} true once the frame is stored as it is here, false if it is refused, or somebody else
   *   has leased it
   */
  stored(id) {
    return new Promise((resolve) => {
      this.#waiting.push({ id, resolve });
      this.#resolveWaiting();
    });
  }

  get #all() {
    return [...this.#tasks.values()];
  }

  get #due() {
    return this.#all.find(({ state }) => state === "due");
  }

  #taskOf(work) {
    const fresh = { work, state: "due", error: null, sent: null, waits: false, dismissed: false };
    if (!this.#tasks.has(work.id)) this.#tasks.set(work.id, fresh);
    return this.#tasks.get(work.id);
  }

  #keep({ work, sent }) {
    keepUnsaved(work.id, this.content(work), sent?.content);
  }

  #queue(task) {
    const wasConflict = task.state === "refused";
    task.state = "due";
    if (!wasConflict) return;
    Object.assign(task, { error: null, dismissed: false });
    this.conflictsChanged();
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    try {
      let reachable = true;
      while (reachable && this.#due) reachable = await this.#send(this.#due);
    } finally {
      this.#running = false;
      this.#retryLater(); // in finally: an error in the page must not end saving
    }
  }

  /** @returns {Promise<boolean>} whether the server responded; if not, other saves would fail too */
  async #send(task) {
    let frame;
    try {
      task.sent ??= { changes: task.work.changes, content: this.content(task.work) };
      frame = requireFrame(await this.send(task.work.id, task.sent.content));
    } catch (error) {
      return this.#failed(task, error);
    }
    this.#stored(task, frame, task.sent.changes);
    return true;
  }

  #stored(task, frame, changes) {
    const { work } = task;
    work.version = frame.version;
    // a preview that the server no longer has is not accepted, and the frame stays to do
    if (work.changes === changes) Object.assign(work, { status: frame.status, accepted: frame.accepted });
    Object.assign(task, { error: null, sent: null, waits: false });
    if (work.changes === changes) {
      this.#tasks.delete(work.id);
      removeUnsaved(work.id);
    } else {
      this.#keep(task); // changed meanwhile; it is based on the new version now
    }
    this.#failures = 0;
    this.#resolveWaiting();
    this.changed();
  }

  #failed(task, error) {
    const { work } = task;
    const refused = FINAL.includes(error.status);
    if (refused) task.sent = null;
    if (refused && error.frame && hasContent(error.frame, this.content(work))) {
      this.#stored(task, error.frame, work.changes); // another tab has resumed and stored this work
      return true;
    }
    task.error = error;
    task.state = !refused ? "later" : task.waits && error.frame?.leased_by ? "waiting" : "refused";
    this.#tasks.delete(work.id);
    this.#tasks.set(work.id, task);
    this.#keep(task);
    if (task.state === "refused") this.#failures = 0;
    this.#resolveWaiting();
    this.changed();
    if (task.state === "refused") this.conflictsChanged();
    return error.status !== 0;
  }

  #retryLater() {
    clearTimeout(this.#timer);
    if (this.#all.every(({ state }) => state === "refused")) return;
    this.#timer = setTimeout(() => this.retryNow(), 1000 * DELAYS[Math.min(this.#failures, DELAYS.length - 1)]);
    this.#failures += 1;
  }

  #resolveWaiting() {
    const isOpen = ({ id }) => ["due", "later"].includes(this.#tasks.get(id)?.state);
    const finished = this.#waiting.filter((entry) => !isOpen(entry));
    this.#waiting = this.#waiting.filter(isOpen);
    for (const { id, resolve } of finished) resolve(!this.#tasks.has(id));
  }
}

function requireFrame(frame) {
  if (!Number.isInteger(frame?.version)) throw new ApiError("unexpected response from the server");
  return frame;
}

/** Whether a stored frame has this status, these clicks and answers, and an accepted label or none; times are not compared. */
function hasContent(frame, { status, clicks, accept, answers }) {
  if (frame.status !== status || frame.accepted !== accept) return false;
  const points = ({ x, y, class_id }) => [x, y, class_id];
  const essence = (of, said) => JSON.stringify([of.map(points), said?.map(({ class_id, present }) => [class_id, present])]);
  return essence(frame.clicks, frame.answers) === essence(clicks, answers);
}
