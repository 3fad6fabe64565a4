/** The work of one annotator on one frame: its points and their history, its status, and the time it takes. */

import { History, UNKNOWN } from "./points.js";
import { Stopwatch } from "./stopwatch.js";

export class Work {
  /** @param {import("./api.js").Frame} frame as stored */
  constructor(frame) {
    this.frame = frame;
    this.id = frame.id;
    this.version = frame.version;
    this.status = frame.status;
    this.accepted = frame.accepted; // whether its preview was accepted as its label
    const asked = frame.answers?.map(({ class_id, present }) => [class_id, present]);
    this.open = asked?.filter(([, present]) => present === null).map(([id]) => id) ?? null; // null: nobody was asked
    this.given = new Map(asked?.filter(([, present]) => present !== null)); // class id -> whether it is there
    this.history = new History(frame.clicks);
    this.stopwatch = new Stopwatch();
    this.changes = 0;
    this.leasedBy = frame.leased_by;
    this.visible = true; // whether its picture can be shown
  }

  get points() {
    return this.history.points;
  }

  /** Classes with points. */
  get clicked() {
    return new Set(this.points.map(({ class_id }) => class_id).filter((id) => id !== UNKNOWN));
  }

  /** Answers that the points do not contradict: class id -> whether it is there. */
  get answers() {
    const { clicked } = this;
    return new Map([...this.given].filter(([id, present]) => present === clicked.has(id)));
  }

  /** Classes that are not there, as somebody said. */
  get absent() {
    return [...this.answers].filter(([, present]) => !present).map(([id]) => id);
  }

  /**
   * @param {number} classId
   * @param {boolean | null} present null withdraws the answer
   */
  answer(classId, present) {
    if (present === null) this.given.delete(classId);
    else this.given.set(classId, present);
    this.edited();
  }

  /** Points or answers have changed: a label belongs to those it was accepted with, and skipped frames are not trained from. */
  edited() {
    if (this.status === "skipped" || this.accepted) Object.assign(this, { status: "todo", accepted: false });
  }

  get size() {
    return { width: this.frame.width, height: this.frame.height };
  }

  /**
   * @param {number} now in seconds
   * @returns {import("./api.js").Content} what to store
   */
  content(now) {
    const seconds = Math.round((this.frame.seconds + this.stopwatch.seconds(now)) * 100) / 100;
    const { version, status, points: clicks, accepted: accept } = this;
    return { version, status, seconds, clicks, accept, answers: this.#answersToStore() };
  }

  #answersToStore() {
    if (this.open === null && !this.given.size) return null;
    const { answers } = this;
    const open = (this.open ?? []).filter((id) => !answers.has(id)).map((id) => [id, null]);
    const sorted = [...answers, ...open].sort(([a], [b]) => a - b);
    return sorted.map(([class_id, present]) => ({ class_id, present }));
  }
}
