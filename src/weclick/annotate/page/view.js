/**
 * Where the picture lies in the window: pure functions over a view.
 *
 * A view is {zoom, x, y}: CSS pixels per source pixel, and the window position of the picture's top-left corner. Pixel
 * centres lie at integers, so that corner is source (-0.5, -0.5). A fitted view says so, and is fitted again when the
 * window or the picture changes its size.
 *
 * @typedef {{zoom: number, x: number, y: number, fitted?: boolean}} View
 * @typedef {{x: number, y: number}} Point
 * @typedef {{width: number, height: number}} Size
 * @typedef {{left: number, top: number, width: number, height: number}} Box
 */

const MAX_ZOOM = 64;
const SMALLEST_SHARE = 0.5; // of the fitted zoom
const IN_SIGHT = 48; // pixels of the picture that cannot be pushed out of the window

/**
 * @param {View} view
 * @param {Point} at position in the window
 * @returns {Point} position in source pixels
 */
export function toSource(view, at) {
  return { x: (at.x - view.x) / view.zoom - 0.5, y: (at.y - view.y) / view.zoom - 0.5 };
}

/**
 * @param {View} view
 * @param {Point} at position in source pixels
 * @returns {Point} position in the window
 */
export function toScreen(view, at) {
  return { x: view.x + (at.x + 0.5) * view.zoom, y: view.y + (at.y + 0.5) * view.zoom };
}

/**
 * @param {Point} at position in source pixels
 * @param {Size} size of the picture
 * @returns {boolean} whether a pixel of the picture lies there
 */
export function isInside(at, size) {
  return at.x >= -0.5 && at.y >= -0.5 && at.x < size.width - 0.5 && at.y < size.height - 0.5;
}

/**
 * @param {Point} at position in the window
 * @param {Box} box
 * @returns {boolean} whether it lies in the box
 */
export function isWithin(at, box) {
  const { left, top, width, height } = box;
  return at.x >= left && at.y >= top && at.x <= left + width && at.y <= top + height;
}

/**
 * The nearest position a click may have: inside the picture, three decimals.
 * @param {Point} at position in source pixels
 * @param {Size} size of the picture
 * @returns {Point}
 */
export function toClick(at, size) {
  const settle = (value, length) => Math.min(Math.max(Math.round(value * 1000) / 1000, -0.5), length - 0.501);
  return { x: settle(at.x, size.width), y: settle(at.y, size.height) };
}

/**
 * @param {Size} size of the picture
 * @param {Box} box the free part of the window
 * @returns {View} the whole picture, as large as the box allows
 */
export function fit(size, box) {
  const zoom = Math.min(box.width / size.width, box.height / size.height);
  const x = box.left + (box.width - size.width * zoom) / 2;
  const y = box.top + (box.height - size.height * zoom) / 2;
  return { zoom, x, y, fitted: true };
}

/**
 * Zoom by a factor; what lies under `at` stays there.
 * @param {View} view
 * @param {Point} at position in the window
 * @param {number} factor
 * @param {Size} size of the picture
 * @param {Box} box the free part of the window
 * @returns {View}
 */
export function zoomAt(view, at, factor, size, box) {
  const least = Math.min(fit(size, box).zoom * SMALLEST_SHARE, 1);
  const zoom = Math.min(Math.max(view.zoom * factor, least), MAX_ZOOM);
  const grown = zoom / view.zoom;
  const moved = { zoom, x: at.x - (at.x - view.x) * grown, y: at.y - (at.y - view.y) * grown };
  return keptInSight(moved, size, box);
}

/**
 * @param {View} view
 * @param {Point} by movement in the window
 * @param {Size} size of the picture
 * @param {Box} box the free part of the window
 * @returns {View}
 */
export function panned(view, by, size, box) {
  return keptInSight({ zoom: view.zoom, x: view.x + by.x, y: view.y + by.y }, size, box);
}

/**
 * The view of the next picture: the same place at the same zoom, whatever its size; fitted stays fitted.
 * @param {View} view
 * @param {Size} from size of the picture it was for
 * @param {Size} to size of the next picture
 * @param {Box} box the free part of the window
 * @returns {View}
 */
export function carriedOver(view, from, to, box) {
  if (view.fitted) return fit(to, box);
  return keptInSight({ ...view, zoom: (view.zoom * from.width) / to.width }, to, box);
}

function keptInSight(view, size, box) {
  const hold = (value, length, start, room) => {
    const margin = Math.min(IN_SIGHT, length);
    return Math.min(Math.max(value, start + margin - length), start + room - margin);
  };
  return {
    zoom: view.zoom,
    x: hold(view.x, size.width * view.zoom, box.left, box.width),
    y: hold(view.y, size.height * view.zoom, box.top, box.height),
  };
}
