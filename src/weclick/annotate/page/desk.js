/** Which frame lies on the desk: goes from one to the next, holds its lease, keeps the work done on all of them. */

import { ApiError } from "./api.js";
import { Work } from "./work.js";

const HEARTBEAT = 10_000; // milliseconds; a lease lasts thirty seconds

export class Desk {
  #works = new Map(); // id -> work
  #trail = []; // ids of finished frames, the latest last
  #busy = false;

  /**
   * @param {{api: import("./api.js").Api, saver: import("./saver.js").Saver,
   *   pictures: import("./pictures.js").Pictures, videos: {name: string, first: string}[],
   *   now: () => number, shown: (image: HTMLImageElement | null) => void, locked: () => void,
   *   say: (text: string) => void}} parts `shown` and `locked` are told when the frame or its lease is another
   */
  constructor(parts) {
    Object.assign(this, parts);
    this.work = null;
    this.finished = 0;
    setInterval(() => this.beat(), HEARTBEAT);
  }

  /** Time spent on all frames since the page was opened. */
  get seconds() {
    return [...this.#works.values()].reduce((sum, { clock }) => sum + clock.seconds(this.now()), 0);
  }

  /**
   * Begin with this frame, or with the first to do.
   * @param {string | null} id
   */
  begin(id) {
    return this.#alone(async () => {
      const known = id !== null && (await this.#fetch(id).catch(unlessMissing));
      if (!known) await this.#layNext(null);
    });
  }

  /** @param {number} by number of frames of the same video, back or on; what cannot be shown is stepped over */
  step(by) {
    return this.#alone(async () => {
      const ahead = this.work.frame.around.filter(([offset]) => Math.sign(offset) === Math.sign(by));
      ahead.sort(([a], [b]) => Math.abs(a - by) - Math.abs(b - by));
      for (const [, id] of ahead) {
        if (await this.#fetch(id).catch(unlessMissing)) return;
      }
      this.say(by < 0 ? "The first frame of this video." : "The last frame of this video.");
    });
  }

  /** @param {number} by number of videos, back or on */
  jump(by) {
    return this.#alone(async () => {
      const index = this.videos.findIndex(({ name }) => name === this.work.frame.video) + by;
      if (this.videos[index]) await this.#fetch(this.videos[index].first);
      else this.say(by < 0 ? "The first video." : "The last video.");
    });
  }

  /** Back to the frame finished last. */
  back() {
    return this.#alone(async () => {
      const id = this.#trail.pop();
      if (id) await this.#fetch(id);
      else this.say("No frame was finished before this one.");
    });
  }

  /**
   * Give the frame a status, and once that is stored go on to the next one to do.
   * @param {import("./api.js").Status} status
   */
  finish(status) {
    return this.#alone(async () => {
      const { work } = this;
      if (work.leasedBy === null) {
        work.status = status;
        this.saver.save(work);
        if (!(await this.saver.stored(work.id))) return;
        this.#trail.push(work.id);
        this.finished += 1;
      }
      await this.#layNext(work.id);
    });
  }

  /**
   * Take a frame as the server has it, whatever was done to it here.
   * @param {import("./api.js").Frame} frame
   */
  async replace(frame) {
    this.#works.delete(frame.id);
    if (this.work?.id === frame.id) await this.#lay(frame);
  }

  /** Hold the lease of the frame on the desk, or try to get it. */
  async beat() {
    const { work } = this;
    if (!work || document.hidden) return;
    const holder = await this.#lease(work.id).catch(() => work.leasedBy); // a silent server changes nothing
    if (work !== this.work || work.leasedBy === holder) return;
    if (holder === null) return this.#alone(() => this.#fetch(work.id));
    work.leasedBy = holder;
    this.locked();
  }

  /** The lease first: what is read after it stays as it is. */
  async #fetch(id) {
    const holder = await this.#lease(id);
    await this.#lay({ ...(await this.api.frame(id)), leased_by: holder });
    return true;
  }

  /** Take a frame's lease; tells whose it is instead, or null. */
  async #lease(id) {
    try {
      await this.api.lease(id);
      return null;
    } catch (error) {
      if (error.status !== 409) throw error;
      return error.frame?.leased_by ?? "";
    }
  }

  async #layNext(after) {
    const frame = await this.api.next(after);
    if (frame) return this.#lay(frame);
    this.say("No frame is left to do.");
    if (!this.work) await this.#fetch(this.videos[0].first);
  }

  async #lay(frame) {
    const image = await this.pictures.get(frame.id).catch(() => null);
    this.work?.clock.stop(this.now());
    this.work = this.#workOn(frame);
    this.work.visible = image !== null;
    if (!document.hidden) this.work.clock.start(this.now());
    this.shown(image);
    const nearestFirst = [...frame.around].sort(([a], [b]) => Math.abs(a) - Math.abs(b));
    this.pictures.keep([frame.id, ...nearestFirst.map(([, id]) => id)]);
  }

  /** What was done here goes on, history and all, unless somebody else changed the frame in between. */
  #workOn(frame) {
    const known = this.#works.get(frame.id);
    const work = known && (known.version === frame.version || this.saver.holds(frame.id)) ? known : new Work(frame);
    work.leasedBy = frame.leased_by;
    this.#works.set(frame.id, work);
    return work;
  }

  /** One movement at a time: a press during another is not meant for the frame that is to come. */
  async #alone(movement) {
    if (this.#busy) return this.saver.problem && this.say(this.saver.problem);
    this.#busy = true;
    try {
      await movement();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.say(error.message);
    } finally {
      this.#busy = false;
    }
  }
}

/** A frame that is not there, or whose picture is damaged, is no reason to stop. */
function unlessMissing(error) {
  if (error.status !== 404 && error.status !== 422) throw error;
  return false;
}
