/**
 * The points of a frame and their history. Lists are never changed in place.
 *
 * @typedef {{x: number, y: number, class_id: number, seconds: number | null}} Click
 */

export const UNKNOWN = 255; // class id of a point on what belongs to no class

/**
 * @param {Click[]} points
 * @param {number} index
 * @param {Partial<Click>} change new position or class
 * @returns {Click[]}
 */
export function withChange(points, index, change) {
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
 * @param {number} [within] largest distance, in the unit of the points
 * @returns {number} index of the nearest point; of several, the latest; -1 if there is none
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
export function countByClass(points) {
  const counts = new Map();
  for (const { class_id } of points) counts.set(class_id, (counts.get(class_id) ?? 0) + 1);
  return counts;
}

/** Undo and redo of the points of a frame. */
export class History {
  #past = [];
  #future = [];

  /** @param {Click[]} points */
  constructor(points) {
    this.points = points;
  }

  /** @param {Click[]} points the new state, as a separate step */
  change(points) {
    this.#past.push(this.points);
    this.#future = [];
    this.points = points;
  }

  /** @param {Click[]} points the new state, as part of the latest step, such as dragging a point that was just added */
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
