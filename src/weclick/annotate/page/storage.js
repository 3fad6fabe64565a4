/** Local storage of the browser. If the browser refuses a value, it is kept in memory until the page is closed. */

const PREFIX = "weclick-"; // the storage is shared with all other pages of this host and port
const inMemory = new Map(); // values that could not be written

/**
 * @param {string} name
 * @returns {string | null} null if there is no such entry
 */
export function read(name) {
  if (inMemory.has(name)) return inMemory.get(name);
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
    inMemory.delete(name);
  } catch {
    inMemory.set(name, text);
  }
}

/** @param {string} name */
export function remove(name) {
  inMemory.delete(name);
  try {
    localStorage.removeItem(PREFIX + name);
  } catch {
    // without storage there is nothing to remove
  }
}

/** @returns {string[]} names of all entries in the local storage */
export function names() {
  try {
    return Object.keys(localStorage).flatMap((key) => (key.startsWith(PREFIX) ? key.slice(PREFIX.length) : []));
  } catch {
    return [];
  }
}
