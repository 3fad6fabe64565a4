/** What the browser keeps for the page from one visit to the next. A browser may refuse; then it is kept for this one. */

const PREFIX = "weclick-";
const refused = new Map(); // what could not be written

/**
 * @param {string} name
 * @returns {string | null} null when nothing of that name is kept
 */
export function read(name) {
  if (refused.has(name)) return refused.get(name);
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} text
 */
export function write(name, text) {
  try {
    localStorage.setItem(PREFIX + name, text);
    refused.delete(name);
  } catch {
    refused.set(name, text);
  }
}

/** @param {string} name */
export function remove(name) {
  refused.delete(name);
  try {
    localStorage.removeItem(PREFIX + name);
  } catch {
    // nothing is kept there
  }
}

/** @returns {string[]} names of all that earlier visits left here */
export function names() {
  try {
    return Object.keys(localStorage).flatMap((key) => (key.startsWith(PREFIX) ? key.slice(PREFIX.length) : []));
  } catch {
    return [];
  }
}
