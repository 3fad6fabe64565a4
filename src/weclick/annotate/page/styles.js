/**
 * How classes are shown: colour, key, and shape (round for things, square for stuff).
 *
 * @typedef {{name: string, color: string, label: string, thing: boolean}} ClassStyle `label` is shown beside a point
 */

import { classKey } from "./keys.js";
import { UNKNOWN } from "./points.js";

const GREY = { color: "#8c8c8c", label: "?", thing: true };

/**
 * @param {import("./api.js").SemanticClass[]} classes
 * @returns {ClassStyle[]}
 */
export function classStyles(classes) {
  return classes.map(({ id, name, color, thing }) => {
    return { name, color, thing, label: classKey(id)?.toUpperCase() ?? String(id) };
  });
}

/**
 * @param {ClassStyle[]} styles
 * @param {number} classId of a stored click; it may be unknown, and another program may have stored any
 * @returns {ClassStyle}
 */
export function styleOf(styles, classId) {
  return styles[classId] ?? { ...GREY, name: classId === UNKNOWN ? "unknown" : "unknown class" };
}
