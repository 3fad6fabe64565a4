/** The work of one annotator on one frame: its points and their history, its status, and the time it takes. */

import { History } from "./points.js";
import { Stopwatch } from "./stopwatch.js";

export class Work {
  /** @param {import("./api.js").Frame} frame as stored */
  constructor(frame) {
    this.frame = frame;
    this.id = frame.id;
    this.version = frame.version;
    this.status = frame.status;
    this.accepted = frame.accepted; // whether its preview was accepted as its label
    this.history = new History(frame.clicks);
    this.stopwatch = new Stopwatch();
    this.changes = 0;
    this.leasedBy = frame.leased_by;
    this.visible = true; // whether its picture can be shown
  }

  get points() {
    return this.history.points;
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
    return { version: this.version, status: this.status, seconds, clicks: this.points, accept: this.accepted };
  }
}
