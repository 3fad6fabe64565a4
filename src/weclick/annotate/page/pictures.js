/** Loads, preloads and caches pictures of frames, and plays the frames around the current one. */

export class Pictures {
  #loading = new Map(); // id -> promise
  #loaded = new Map(); // id -> image
  #preloading = []; // ids of the latest call of preload

  /**
   * @param {(id: string) => string} url returns the URL of a frame's picture
   * @param {number} timeout in seconds
   */
  constructor(url, timeout) {
    this.url = url;
    this.timeout = timeout;
  }

  /**
   * @param {string} id
   * @returns {Promise<HTMLImageElement>} the decoded picture; rejects if it cannot be loaded
   */
  get(id) {
    if (!this.#loading.has(id)) {
      const loading = load(this.url(id), this.timeout);
      this.#loading.set(id, loading);
      loading.then(
        (image) => this.#loading.has(id) && this.#loaded.set(id, image),
        () => this.#loading.delete(id), // the next call tries again
      );
    }
    return this.#loading.get(id);
  }

  /**
   * @param {string} id
   * @returns {HTMLImageElement | null} the picture, if it is already loaded
   */
  loaded(id) {
    return this.#loaded.get(id) ?? null;
  }

  /**
   * Load these one after the other, and drop all others from the cache.
   * @param {string[]} ids the most urgent first
   */
  async preload(ids) {
    this.#preloading = ids;
    for (const id of [...this.#loading.keys()].filter((id) => !ids.includes(id))) {
      this.#loading.delete(id);
      this.#loaded.delete(id);
    }
    for (const id of ids) {
      if (this.#preloading !== ids) return; // preload was called again
      await this.get(id).catch(() => null);
    }
  }
}

/** Plays the frames around the current one in a loop of one second. */
export class Player {
  #request = null;

  /**
   * @param {Pictures} pictures
   * @param {(image: HTMLImageElement | null, offset: number) => void} show called for each frame; with null at the end
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
      const loaded = around.filter(([, id]) => this.pictures.loaded(id));
      const [offset, id] = loaded[Math.floor(((now - first) / 1000) * loaded.length) % loaded.length] ?? [0, null];
      if (id) this.show(this.pictures.loaded(id), offset);
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

async function load(url, timeout) {
  const image = new Image();
  image.src = url;
  let timer = null;
  const tooLate = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error("The picture could not be loaded in time"));
      image.src = ""; // cancels the request
    }, 1000 * timeout);
  });
  await Promise.race([image.decode(), tooLate]).finally(() => clearTimeout(timer));
  return image;
}
