/**
 * What classes look like: colour, key and shape (round for things, square for stuff) all tell them apart.
 *
 * @typedef {{name: string, color: string, glyph: string, thing: boolean}} Look
 */

import { classKey } from "./keys.js";

const UNKNOWN = { name: "unknown class", color: "#8c8c8c", glyph: "?", thing: true };

/**
 * @param {import("./api.js").SemanticClass[]} classes
 * @returns {Look[]}
 */
export function looksOf(classes) {
  return classes.map(({ id, name, color, thing }) => {
    return { name, color, thing, glyph: classKey(id)?.toUpperCase() ?? String(id) };
  });
}

/**
 * @param {Look[]} looks
 * @param {number} classId of any click: another program may have stored a class that is none of this data set
 * @returns {Look}
 */
export function lookOf(looks, classId) {
  return looks[classId] ?? UNKNOWN;
}
