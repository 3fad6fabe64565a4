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
 * A frame that is not stored as it is here: to be sent now, or later, or once nobody else holds it; or refused, until
 * somebody decides about it.
 * @typedef {{work: import("./work.js").Work, state: "due" | "later" | "held" | "refused", error: ApiError | null,
 *   sent: {content: import("./api.js").Content, changes: number} | null, patient: boolean, aside: boolean}} Task
 *   `error` is what came back last; `sent` what may have been stored, and how new it was; a `patient` one waits for
 *   whoever holds the frame; about one put `aside` nobody is asked again
 */

export class Saver {
  #tasks = new Map(); // id -> task; what failed last comes last
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
  }

  /** @returns {Task[]} what has to be decided, the oldest first */
  get conflicts() {
    return this.#all.filter(({ state }) => state === "refused");
  }

  /** What is wrong with the server, in one line; null when it does what it is asked. */
  get failure() {
    const failed = this.#all.find(({ state, error }) => state !== "refused" && error && !error.frame);
    return failed?.error.message ?? null;
  }

  /** Why something is not stored, in one line; null when nothing stands in the way. */
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
  holds(id) {
    return this.#tasks.has(id);
  }

  /** @param {import("./work.js").Work} work to be stored as it is by then */
  save(work) {
    work.changes += 1;
    const task = this.#taskOf(work);
    this.#keep(task);
    if (task.state !== "refused" || !task.error.frame) this.#queue(task);
    this.#run();
    this.changed();
  }

  /**
   * Store what an earlier visit could not, as soon as nobody else holds the frame: it may be held by that visit still.
   * @param {import("./work.js").Work} work
   * @param {import("./unsaved.js").Leftover} leftover
   */
  resume(work, { owner, kept }) {
    const task = this.#taskOf(work);
    task.patient = true;
    if (kept.sent) task.sent = { content: kept.sent, changes: work.changes };
    this.save(work);
    forget(work.id, owner);
  }

  /** Try all again now: the network is back. */
  hurry() {
    for (const task of this.#all.filter(({ state }) => state !== "refused")) task.state = "due";
    this.#run();
  }

  /**
   * End a conflict: the work is given up.
   * @param {string} id
   */
  drop(id) {
    this.#tasks.delete(id);
    forget(id);
    this.conflictsChanged();
    this.changed();
  }

  /**
   * End a conflict: the work replaces what is stored, as soon as nobody else holds the frame.
   * @param {string} id
   */
  insist(id) {
    const task = this.#tasks.get(id);
    const { frame } = task.error;
    if (frame.leased_by === null) task.work.version = frame.version;
    else task.patient = true;
    this.#queue(task);
    this.#run();
    this.changed();
  }

  /**
   * @param {string} id
   * @returns {Promise<boolean>} true when the frame is stored as it is here, false when it is refused, or somebody
   *   else holds it
   */
  stored(id) {
    return new Promise((resolve) => {
      this.#awaited.push({ id, resolve });
      this.#settle();
    });
  }

  get #all() {
    return [...this.#tasks.values()];
  }

  get #due() {
    return this.#all.find(({ state }) => state === "due");
  }

  #taskOf(work) {
    const fresh = { work, state: "due", error: null, sent: null, patient: false, aside: false };
    if (!this.#tasks.has(work.id)) this.#tasks.set(work.id, fresh);
    return this.#tasks.get(work.id);
  }

  #keep({ work, sent }) {
    keep(work.id, this.content(work), sent?.content);
  }

  #queue(task) {
    const decided = task.state === "refused";
    task.state = "due";
    if (!decided) return;
    Object.assign(task, { error: null, aside: false });
    this.conflictsChanged();
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    try {
      let answered = true;
      while (answered && this.#due) answered = await this.#send(this.#due);
    } finally {
      this.#running = false;
      this.#retryLater(); // also where the page is at fault, which is no reason to stop saving
    }
  }

  /** @returns {Promise<boolean>} whether the server answers: else the others would fare no better */
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

  #stored(task, { version }, changes) {
    const { work } = task;
    work.version = version;
    Object.assign(task, { error: null, sent: null, patient: false });
    if (work.changes === changes) {
      this.#tasks.delete(work.id);
      forget(work.id);
    } else {
      this.#keep(task); // the version is another one now
    }
    this.#failures = 0;
    this.#settle();
    this.changed();
  }

  #failed(task, error) {
    const { work } = task;
    const refused = VERDICTS.includes(error.status);
    if (refused) task.sent = null;
    if (refused && error.frame && isAsIn(error.frame, this.content(work))) {
      this.#stored(task, error.frame, work.changes); // by another tab, which took over what is kept here
      return true;
    }
    task.error = error;
    task.state = !refused ? "later" : task.patient && error.frame?.leased_by ? "held" : "refused";
    this.#tasks.delete(work.id);
    this.#tasks.set(work.id, task);
    this.#keep(task);
    if (task.state === "refused") this.#failures = 0;
    this.#settle();
    this.changed();
    if (task.state === "refused") this.conflictsChanged();
    return error.status !== 0;
  }

  #retryLater() {
    clearTimeout(this.#timer);
    if (this.#all.every(({ state }) => state === "refused")) return;
    this.#timer = setTimeout(() => this.hurry(), 1000 * DELAYS[Math.min(this.#failures, DELAYS.length - 1)]);
    this.#failures += 1;
  }

  #settle() {
    const isOpen = ({ id }) => ["due", "later"].includes(this.#tasks.get(id)?.state);
    const settled = this.#awaited.filter((awaited) => !isOpen(awaited));
    this.#awaited = this.#awaited.filter(isOpen);
    for (const { id, resolve } of settled) resolve(!this.#tasks.has(id));
  }
}

function requireFrame(frame) {
  if (!Number.isInteger(frame?.version)) throw new ApiError("The server answers something else than a frame");
  return frame;
}

/** Whether a frame is stored as it is wanted, however long it took. */
function isAsIn(frame, { status, clicks }) {
  const places = (points) => JSON.stringify(points.map(({ x, y, class_id }) => [x, y, class_id]));
  return frame.status === status && places(frame.clicks) === places(clicks);
}
