/** The current frame: navigates between frames, holds the lease of the current one, keeps the work on all of them. */

import { ApiError } from "./api.js";
import { Work } from "./work.js";

const RENEW_INTERVAL = 10_000; // milliseconds; a lease lasts thirty seconds, so two lost requests do not end it
const SLOW = 1; // seconds after which a key press during navigation gets a message

export class Navigation {
  #works = new Map(); // id -> work
  #finishedIds = []; // the latest last
  #busySince = null; // start of the running navigation

  /**
   * @param {{api: import("./api.js").Api, saver: import("./saver.js").Saver,
   *   pictures: import("./pictures.js").Pictures, videos: {name: string, first: string}[],
   *   now: () => number, leaving: () => void, shown: (image: HTMLImageElement | null) => void, locked: () => void,
   *   showMessage: (text: string) => void}} parts `leaving` is called before a navigation, `shown` when the frame has
   *   changed, `locked` when somebody else has taken its lease
   */
  constructor(parts) {
    Object.assign(this, parts);
    this.work = null;
    this.finished = 0;
    setInterval(() => this.renewLease(), RENEW_INTERVAL);
  }

  /** Time spent on all frames since the page was opened. */
  get seconds() {
    return [...this.#works.values()].reduce((sum, { stopwatch }) => sum + stopwatch.seconds(this.now()), 0);
  }

  /**
   * Show this frame, or the next one to do. Rejects if no frame can be shown.
   * @param {string | null} id
   */
  async start(id) {
    const shown = id !== null && (await this.#open(id).catch(unlessUnavailable));
    if (!shown) await this.#showNext(null);
  }

  /**
   * Resume the unsaved work of an earlier visit. Work on frames of another data set stays in the browser.
   * @param {import("./unsaved.js").Leftover[]} leftovers
   * @returns {Promise<boolean>} whether any work was resumed
   */
  async resume(leftovers) {
    const frames = await Promise.all(leftovers.map(({ id }) => this.api.frame(id).catch(unlessUnavailable)));
    leftovers.forEach((leftover, index) => {
      // a second state of the same frame waits for the next visit, where it becomes a conflict for the user to decide
      if (!frames[index] || this.#works.has(leftover.id)) return;
      const { kept } = leftover;
      const work = new Work({ ...frames[index], ...kept, accepted: kept.accept ?? false });
      this.#works.set(work.id, work);
      this.saver.resume(work, leftover);
    });
    return this.#works.size > 0;
  }

  /** @param {number} by number of frames to go in the video, negative for back; skips frames that cannot be shown */
  step(by) {
    return this.#navigate(async () => {
      const ahead = this.work.frame.around.filter(([offset]) => Math.sign(offset) === Math.sign(by));
      ahead.sort(([a], [b]) => Math.abs(a - by) - Math.abs(b - by));
      for (const [, id] of ahead) {
        if (await this.#open(id).catch(unlessUnavailable)) return;
      }
      this.showMessage(`This is the ${by < 0 ? "first" : "last"} frame of the video.`);
    });
  }

  /** @param {number} by 1 for the next video, -1 for the previous one; skips videos that cannot be shown */
  jump(by) {
    return this.#navigate(async () => {
      const here = this.videos.findIndex(({ name }) => name === this.work.frame.video);
      if (!(await this.#showVideo(here + by, by))) this.showMessage(`This is the ${by < 0 ? "first" : "last"} video.`);
    });
  }

  /** @param {string} id the frame to show */
  go(id) {
    return this.#navigate(() => this.#open(id));
  }

  /**
   * @param {number} position in the video of the current frame
   * @returns {Promise<boolean>} whether a frame is shown
   */
  goTo(position) {
    return this.#navigate(async () => this.#open((await this.api.frameAt(this.work.frame.video, position)).id));
  }

  /** Return to the frame that was finished last. */
  back() {
    return this.#navigate(async () => {
      while (this.#finishedIds.length) {
        const shown = await this.#open(this.#finishedIds.at(-1)).catch(unlessUnavailable);
        this.#finishedIds.pop();
        if (shown) return;
      }
      this.showMessage("No frame was finished before this one.");
    });
  }

  /**
   * Set the status of the frame, and once that is stored, show the next one to do.
   * @param {import("./api.js").Status} status
   * @param {boolean} [accepted] whether the preview is right, and becomes the frame's label
   */
  finish(status, accepted = false) {
    return this.#navigate(async () => {
      const { work } = this;
      if (work.leasedBy === null) {
        Object.assign(work, { status, accepted });
        this.saver.save(work);
        if (!(await this.saver.stored(work.id))) return this.showMessage(this.saver.problem);
        if (work.status !== status) {
          // changed meanwhile, or the server had no such preview any more: then nothing is accepted unseen
          return this.showMessage(accepted ? "Not accepted: look at the preview again, then press Enter." : "Not finished.");
        }
        this.#finishedIds.push(work.id);
        this.finished += 1;
      }
      await this.#showNext(work.id);
    });
  }

  /** Read the current frame again. Local work stays, unless somebody else has changed the frame. */
  refresh() {
    return this.#exclusive(() => this.#open(this.work.id));
  }

  /**
   * Discard the local work on a frame and use the stored version.
   * @param {string} id
   * @returns {Promise<boolean>} whether that succeeded
   */
  async useStored(id) {
    const reload = async () => {
      const frame = await this.#read(id);
      this.#works.delete(id);
      await this.#show(frame);
    };
    if (this.work?.id === id) return this.#exclusive(reload);
    this.#works.delete(id);
    return true;
  }

  /** Renew the lease of the current frame, or try to get it. A hidden tab only holds it while there is unsaved work. */
  async renewLease() {
    const { work } = this;
    if (!work || this.#busySince !== null || (document.hidden && !this.saver.isUnsaved(work.id))) return;
    const holder = await this.#lease(work.id).catch(() => work.leasedBy); // no response: assume nothing has changed
    if (work !== this.work || work.leasedBy === holder) return;
    if (holder === null) return this.refresh();
    work.leasedBy = holder;
    this.locked();
  }

  async #open(id) {
    await this.#show(await this.#read(id));
    return true;
  }

  /** Read a frame after leasing it, so that it cannot change in between. */
  async #read(id) {
    const holder = await this.#lease(id);
    return { ...(await this.api.frame(id)), leased_by: holder };
  }

  /** Lease a frame; returns null, or the name of the other annotator who has leased it. */
  async #lease(id) {
    try {
      await this.api.lease(id);
      return null;
    } catch (error) {
      if (error.status !== 409) throw error;
      return error.frame?.leased_by ?? "";
    }
  }

  async #showNext(after) {
    const frame = await this.api.next(after);
    if (frame) return this.#show(frame);
    this.showMessage("No frames are left to do.");
    if (!this.work && !(await this.#showVideo(0, 1))) throw new ApiError("No frame can be shown.");
  }

  /** Show the first frame of a video, or of the next video in this direction that can be shown. */
  async #showVideo(index, by) {
    for (; this.videos[index]; index += by) {
      const frame = await this.api.frame(this.videos[index].first, true).catch(unlessUnavailable);
      if (frame && (await this.#open(frame.id).catch(unlessUnavailable))) return true;
    }
    return false;
  }

  async #show(frame) {
    const image = await this.pictures.get(frame.id).catch(() => null);
    this.work?.stopwatch.stop(this.now());
    this.work = this.#workOn(frame);
    this.work.visible = image !== null;
    if (!document.hidden) this.work.stopwatch.start(this.now());
    this.shown(image);
    const nearestFirst = [...frame.around].sort(([a], [b]) => Math.abs(a) - Math.abs(b));
    this.pictures.preload([frame.id, ...nearestFirst.map(([, id]) => id)]);
  }

  /** Existing work is continued with its history, unless somebody else has changed the frame. */
  #workOn(frame) {
    const existing = this.#works.get(frame.id);
    // a save may have finished after the frame was read: then the existing work has the newer version
    const current = existing && (existing.version >= frame.version || this.saver.isUnsaved(frame.id));
    const work = current ? existing : new Work(frame);
    work.leasedBy = frame.leased_by;
    this.#works.set(frame.id, work);
    return work;
  }

  /** Go to another frame, then lease the current one: a failed navigation may have leased another frame. Returns whether it
   *  succeeded. */
  async #navigate(action) {
    const shown = await this.#exclusive(action);
    this.renewLease();
    return shown;
  }

  /**
   * Run one navigation at a time: a key pressed meanwhile is not meant for the frame that comes next.
   * @returns {Promise<boolean>} whether it succeeded
   */
  async #exclusive(action) {
    if (this.#busySince !== null) return this.#reportBusy();
    this.leaving();
    this.#busySince = this.now();
    try {
      await action();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.showMessage(error.message);
      return false;
    } finally {
      this.#busySince = null;
    }
  }

  #reportBusy() {
    if (this.saver.problem) this.showMessage(this.saver.problem);
    else if (this.now() - this.#busySince > SLOW) this.showMessage("The next frame is still loading.");
    return false;
  }
}

/** For `catch`: return false for a missing or damaged frame, which is skipped, and throw any other error. */
function unlessUnavailable(error) {
  if (error.status !== 404 && error.status !== 422) throw error;
  return false;
}
