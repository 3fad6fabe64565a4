/** Pictures of frames: loaded when asked for, the neighbours ahead of time, dropped when far away. */

export class Pictures {
  #loading = new Map(); // id -> promise
  #ready = new Map(); // id -> image
  #wanted = [];

  /**
   * @param {(id: string) => string} url where the picture of a frame is
   * @param {number} patience seconds until a picture counts as one that cannot be had
   */
  constructor(url, patience) {
    this.url = url;
    this.patience = patience;
  }

  /**
   * @param {string} id
   * @returns {Promise<HTMLImageElement>} the decoded picture; rejects where there is none
   */
  get(id) {
    if (!this.#loading.has(id)) {
      const loading = load(this.url(id), this.patience);
      this.#loading.set(id, loading);
      loading.then(
        (image) => this.#loading.has(id) && this.#ready.set(id, image),
        () => this.#loading.delete(id), // so that it is asked for anew
      );
    }
    return this.#loading.get(id);
  }

  /**
   * @param {string} id
   * @returns {HTMLImageElement | null} the picture, if it is there already
   */
  ready(id) {
    return this.#ready.get(id) ?? null;
  }

  /**
   * Load these one after the other, and forget all others.
   * @param {string[]} ids the most urgent first
   */
  async keep(ids) {
    this.#wanted = ids;
    for (const known of [...this.#loading.keys()].filter((id) => !ids.includes(id))) {
      this.#loading.delete(known);
      this.#ready.delete(known);
    }
    for (const id of ids) {
      if (this.#wanted !== ids) return;
      await this.get(id).catch(() => null);
    }
  }
}

/** Shows the frames around one, in order, for one second, again and again. */
export class Player {
  #request = null;

  /**
   * @param {Pictures} pictures
   * @param {(image: HTMLImageElement | null, offset: number) => void} show null ends the show
   */
  constructor(pictures, show) {
    this.pictures = pictures;
    this.show = show;
  }

  get playing() {
    return this.#request !== null;
  }

  /** @param {[number, string][]} around offsets and ids */
  start(around) {
    if (this.playing) return;
    let first = null;
    const step = (now) => {
      first ??= now;
      const ready = around.filter(([, id]) => this.pictures.ready(id));
      const [offset, id] = ready[Math.floor(((now - first) / 1000) * ready.length) % ready.length] ?? [0, null];
      if (id) this.show(this.pictures.ready(id), offset);
      this.#request = requestAnimationFrame(step);
    };
    this.#request = requestAnimationFrame(step);
  }

  stop() {
    if (!this.playing) return;
    cancelAnimationFrame(this.#request);
    this.#request = null;
    this.show(null, 0);
  }
}

async function load(url, patience) {
  const image = new Image();
  image.src = url;
  let timer = null;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error("The picture does not come"));
      image.src = ""; // ends the request
    }, 1000 * patience);
  });
  await Promise.race([image.decode(), late]).finally(() => clearTimeout(timer));
  return image;
}
