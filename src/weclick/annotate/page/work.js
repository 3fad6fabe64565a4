/** What one person is doing to one frame: its points and their history, its status, and the time it takes. */

import { Clock } from "./clock.js";
import { History } from "./points.js";

export class Work {
  /** @param {import("./api.js").Frame} frame as stored */
  constructor(frame) {
    this.frame = frame;
    this.id = frame.id;
    this.version = frame.version;
    this.status = frame.status;
    this.history = new History(frame.clicks);
    this.clock = new Clock();
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
   * @returns what the server is asked to store
   */
  content(now) {
    const seconds = Math.round((this.frame.seconds + this.clock.seconds(now)) * 100) / 100;
    return { version: this.version, status: this.status, seconds, clicks: this.points };
  }
}
