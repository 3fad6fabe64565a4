/** Asks for the preview of the current frame after every change: one request at a time, the newest points win. */

export class Preview {
  #wanted = null; // the work to ask for next
  #running = false;

  /**
   * @param {(id: string, clicks: import("./points.js").Click[]) => Promise<ImageBitmap | null>} load
   * @param {(work: import("./work.js").Work, points: import("./points.js").Click[], image: ImageBitmap | null,
   *   error: Error | null) => void} loaded called with every result; the image is null before the first click of all
   */
  constructor(load, loaded) {
    Object.assign(this, { load, loaded });
  }

  /** @param {import("./work.js").Work | null} work null for none any more */
  want(work) {
    this.#wanted = work;
    if (!this.#running) this.#run();
  }

  async #run() {
    this.#running = true;
    while (this.#wanted) {
      const work = this.#wanted;
      const { points } = work;
      this.#wanted = null;
      try {
        this.loaded(work, points, await this.load(work.id, points), null);
      } catch (error) {
        this.loaded(work, points, null, error);
      }
    }
    this.#running = false;
  }
}
