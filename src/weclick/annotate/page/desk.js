/** Which frame lies on the desk: goes from one to the next, holds its lease, keeps the work done on all of them. */

import { ApiError } from "./api.js";
import { Work } from "./work.js";

const HEARTBEAT = 10_000; // milliseconds; a lease lasts thirty seconds
const LONG = 1; // seconds; a press that falls into a longer movement is told so

export class Desk {
  #works = new Map(); // id -> work
  #trail = []; // ids of finished frames, the latest last
  #since = null; // when the movement that goes on began

  /**
   * @param {{api: import("./api.js").Api, saver: import("./saver.js").Saver,
   *   pictures: import("./pictures.js").Pictures, videos: {name: string, first: string}[],
   *   now: () => number, leaving: () => void, shown: (image: HTMLImageElement | null) => void, locked: () => void,
   *   say: (text: string) => void}} parts `leaving` is told before a movement, `shown` and `locked` when the frame or
   *   its lease is another
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
   * Begin with this frame, or with the first to do. Rejects with the reason where no frame can be shown.
   * @param {string | null} id
   */
  async begin(id) {
    const known = id !== null && (await this.#fetch(id).catch(unlessMissing));
    if (!known) await this.#layNext(null);
  }

  /**
   * Go on with what an earlier visit could not store. Work on a frame of another data set waits for that one.
   * @param {import("./unsaved.js").Leftover[]} leftovers
   * @returns {Promise<boolean>} whether there was any
   */
  async resume(leftovers) {
    const frames = await Promise.all(leftovers.map(({ id }) => this.api.frame(id).catch(unlessMissing)));
    leftovers.forEach((leftover, index) => {
      // of two states of a frame the second one waits for the next visit, which asks the person
      if (!frames[index] || this.#works.has(leftover.id)) return;
      const work = new Work({ ...frames[index], ...leftover.kept });
      this.#works.set(work.id, work);
      this.saver.resume(work, leftover);
    });
    return this.#works.size > 0;
  }

  /** @param {number} by number of frames of the same video, back or on; what cannot be shown is stepped over */
  step(by) {
    return this.#move(async () => {
      const ahead = this.work.frame.around.filter(([offset]) => Math.sign(offset) === Math.sign(by));
      ahead.sort(([a], [b]) => Math.abs(a - by) - Math.abs(b - by));
      for (const [, id] of ahead) {
        if (await this.#fetch(id).catch(unlessMissing)) return;
      }
      this.say(by < 0 ? "The first frame of this video." : "The last frame of this video.");
    });
  }

  /** @param {number} by one video back or on; one of which nothing can be shown is stepped over */
  jump(by) {
    return this.#move(async () => {
      const here = this.videos.findIndex(({ name }) => name === this.work.frame.video);
      if (!(await this.#layVideo(here + by, by))) this.say(by < 0 ? "The first video." : "The last video.");
    });
  }

  /** Back to the frame finished last. */
  back() {
    return this.#move(async () => {
      while (this.#trail.length) {
        const shown = await this.#fetch(this.#trail.at(-1)).catch(unlessMissing);
        this.#trail.pop();
        if (shown) return;
      }
      this.say("No frame was finished before this one.");
    });
  }

  /**
   * Give the frame a status, and once that is stored go on to the next one to do.
   * @param {import("./api.js").Status} status
   */
  finish(status) {
    return this.#move(async () => {
      const { work } = this;
      if (work.leasedBy === null) {
        work.status = status;
        this.saver.save(work);
        if (!(await this.saver.stored(work.id))) return this.say(this.saver.problem);
        this.#trail.push(work.id);
        this.finished += 1;
      }
      await this.#layNext(work.id);
    });
  }

  /** Read the frame on the desk again. What was done to it here goes on, unless somebody else changed it. */
  refresh() {
    return this.#alone(() => this.#fetch(this.work.id));
  }

  /**
   * Take a frame as the server has it, whatever was done to it here.
   * @param {string} id
   * @returns {Promise<boolean>} whether that worked
   */
  async replace(id) {
    const takeAnew = async () => {
      const frame = await this.#read(id);
      this.#works.delete(id);
      await this.#lay(frame);
    };
    if (this.work?.id === id) return this.#alone(takeAnew);
    this.#works.delete(id);
    return true;
  }

  /** Hold the lease of the frame on the desk, or try to get it. Out of sight, only as long as it is not stored. */
  async beat() {
    const { work } = this;
    if (!work || this.#since !== null || (document.hidden && !this.saver.holds(work.id))) return;
    const holder = await this.#lease(work.id).catch(() => work.leasedBy); // a silent server changes nothing
    if (work !== this.work || work.leasedBy === holder) return;
    if (holder === null) return this.refresh();
    work.leasedBy = holder;
    this.locked();
  }

  async #fetch(id) {
    await this.#lay(await this.#read(id));
    return true;
  }

  /** The lease first: what is read after it stays as it is. */
  async #read(id) {
    const holder = await this.#lease(id);
    return { ...(await this.api.frame(id)), leased_by: holder };
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
    if (!this.work && !(await this.#layVideo(0, 1))) throw new ApiError("No frame can be shown.");
  }

  /** The beginning of a video, or of the next one that way, as soon as there is something to show. */
  async #layVideo(index, by) {
    for (; this.videos[index]; index += by) {
      const frame = await this.api.frame(this.videos[index].first, true).catch(unlessMissing);
      if (frame && (await this.#fetch(frame.id).catch(unlessMissing))) return true;
    }
    return false;
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
    // a save may have been answered since the frame was read: then the newer version is the one that is here
    const work = known && (known.version >= frame.version || this.saver.holds(frame.id)) ? known : new Work(frame);
    work.leasedBy = frame.leased_by;
    this.#works.set(frame.id, work);
    return work;
  }

  /** To another frame. The lease follows, also where the movement failed after it took another one. */
  async #move(movement) {
    await this.#alone(movement);
    this.beat();
  }

  /**
   * One movement at a time: a press during another is not meant for the frame that is to come.
   * @returns {Promise<boolean>} whether it went well
   */
  async #alone(movement) {
    if (this.#since !== null) return this.#sayBusy();
    this.leaving();
    this.#since = this.now();
    try {
      await movement();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.say(error.message);
      return false;
    } finally {
      this.#since = null;
    }
  }

  #sayBusy() {
    if (this.saver.problem) this.say(this.saver.problem);
    else if (this.now() - this.#since > LONG) this.say("The next frame is still on its way.");
    return false;
  }
}

/** A frame that is not there, or whose picture is damaged, is no reason to stop. */
function unlessMissing(error) {
  if (error.status !== 404 && error.status !== 422) throw error;
  return false;
}
