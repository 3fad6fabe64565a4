/**
 * The view, which maps the picture to the window: pure functions.
 *
 * A view is {zoom, x, y}: CSS pixels per source pixel, and the window position of the picture's top-left corner. Pixel
 * centres are at integers, so that corner is source (-0.5, -0.5). A `fitted` view is fitted again when the size of the
 * window or the picture changes.
 *
 * @typedef {{zoom: number, x: number, y: number, fitted?: boolean}} View
 * @typedef {{x: number, y: number}} Point
 * @typedef {{width: number, height: number}} Size
 * @typedef {{left: number, top: number, width: number, height: number}} Box
 */

const MAX_ZOOM = 64;
const MIN_ZOOM = 0.5; // relative to the fitted zoom
const MIN_VISIBLE = 48; // pixels of the picture that always stay in the window

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
 * @returns {boolean} whether it is inside the picture
 */
export function isInside(at, size) {
  return at.x >= -0.5 && at.y >= -0.5 && at.x < size.width - 0.5 && at.y < size.height - 0.5;
}

/**
 * @param {Point} at position in the window
 * @param {Box} box
 * @returns {boolean} whether it is in the box
 */
export function isInBox(at, box) {
  const { left, top, width, height } = box;
  return at.x >= left && at.y >= top && at.x <= left + width && at.y <= top + height;
}

/**
 * The nearest valid position of a click: inside the picture, with three decimals.
 * @param {Point} at position in source pixels
 * @param {Size} size of the picture
 * @returns {Point}
 */
export function toClick(at, size) {
  const limit = (value, length) => Math.min(Math.max(Math.round(value * 1000) / 1000, -0.5), length - 0.501);
  return { x: limit(at.x, size.width), y: limit(at.y, size.height) };
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
 * Zoom by a factor; the source position under `at` stays there.
 * @param {View} view
 * @param {Point} at position in the window
 * @param {number} factor
 * @param {Size} size of the picture
 * @param {Box} box the free part of the window
 * @returns {View}
 */
export function zoomAt(view, at, factor, size, box) {
  const least = Math.min(fit(size, box).zoom * MIN_ZOOM, 1);
  const zoom = Math.min(Math.max(view.zoom * factor, least), MAX_ZOOM);
  const ratio = zoom / view.zoom;
  return keepVisible({ zoom, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio }, size, box);
}

/**
 * @param {View} view
 * @param {Point} by movement in the window
 * @param {Size} size of the picture
 * @param {Box} box the free part of the window
 * @returns {View}
 */
export function pan(view, by, size, box) {
  return keepVisible({ zoom: view.zoom, x: view.x + by.x, y: view.y + by.y }, size, box);
}

/**
 * The view for the next picture: the same part of the picture, even if the size differs; a fitted view stays fitted.
 * @param {View} view
 * @param {Size} from size of the current picture
 * @param {Size} to size of the next picture
 * @param {Box} box the free part of the window
 * @returns {View}
 */
export function viewOfNext(view, from, to, box) {
  if (view.fitted) return fit(to, box);
  return keepVisible({ ...view, zoom: (view.zoom * from.width) / to.width }, to, box);
}

function keepVisible(view, size, box) {
  const limit = (value, length, start, room) => {
    const margin = Math.min(MIN_VISIBLE, length);
    return Math.min(Math.max(value, start + margin - length), start + room - margin);
  };
  return {
    zoom: view.zoom,
    x: limit(view.x, size.width * view.zoom, box.left, box.width),
    y: limit(view.y, size.height * view.zoom, box.top, box.height),
  };
}
