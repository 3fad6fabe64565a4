/**
 * The points of a frame, and every state they were in. Lists are never changed in place.
 *
 * @typedef {{x: number, y: number, class_id: number, seconds: number | null}} Click
 */

/**
 * @param {Click[]} points
 * @param {number} index
 * @param {Partial<Click>} change what is different: a move, another class
 * @returns {Click[]}
 */
export function altered(points, index, change) {
  return points.map((point, i) => (i === index ? { ...point, ...change } : point));
}

/**
 * @param {Click[]} points
 * @param {number} index
 * @returns {Click[]}
 */
export function without(points, index) {
  return points.filter((_, i) => i !== index);
}

/**
 * @param {Click[]} points
 * @param {{x: number, y: number}} at
 * @param {number} [within] greatest distance, in the unit of the points
 * @returns {number} index of the nearest point, the latest on a tie; -1 where there is none
 */
export function nearest(points, at, within = Infinity) {
  let best = -1;
  let least = within;
  points.forEach((point, index) => {
    const distance = Math.hypot(point.x - at.x, point.y - at.y);
    if (distance <= least) [best, least] = [index, distance];
  });
  return best;
}

/**
 * @param {Click[]} points
 * @returns {Map<number, number>} number of points by class
 */
export function counts(points) {
  const found = new Map();
  for (const { class_id } of points) found.set(class_id, (found.get(class_id) ?? 0) + 1);
  return found;
}

/** What a frame's points are, were, and were before undo. */
export class History {
  #past = [];
  #future = [];

  /** @param {Click[]} points */
  constructor(points) {
    this.points = points;
  }

  /** @param {Click[]} points the new state, a step of its own */
  change(points) {
    this.#past.push(this.points);
    this.#future = [];
    this.points = points;
  }

  /** @param {Click[]} points the new state, part of the latest step: a point dragged on after it was set */
  amend(points) {
    this.points = points;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  undo() {
    if (!this.canUndo) return;
    this.#future.push(this.points);
    this.points = this.#past.pop();
  }

  redo() {
    if (!this.canRedo) return;
    this.#past.push(this.points);
    this.points = this.#future.pop();
  }
}
