/** Draws a frame and its points, at the resolution of the screen. */

import { styleOf } from "./styles.js";
import { toScreen } from "./view.js";

const MAX_SMOOTH_ZOOM = 2; // above 200 %, pixels are shown as squares
const DARK = "#0b0d10";
const LIGHT = "#ffffff";
const RADIUS = 9;
const TAG = 16;

/**
 * @typedef {import("./styles.js").ClassStyle} ClassStyle
 * @typedef {{view: import("./view.js").View, size: import("./view.js").Size, box: import("./view.js").Box,
 *   image: CanvasImageSource | null, overlay: CanvasImageSource | null, opacity: number, points: import("./points.js").Click[],
 *   styles: ClassStyle[], current: ClassStyle, held: number,
 *   cursor: {x: number, y: number, cross: boolean} | null}} Scene
 */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 */
export function draw(canvas, scene) {
  const context = prepareContext(canvas);
  if (scene.image) drawPicture(context, scene, scene.image, 1);
  if (scene.overlay) drawPicture(context, scene, scene.overlay, scene.opacity);
  scene.points.forEach((point, index) => {
    const style = styleOf(scene.styles, point.class_id);
    drawPoint(context, toScreen(scene.view, point), style, index === scene.held, scene.box);
  });
  if (scene.cursor) drawCursor(context, scene.cursor, scene.current);
}

/**
 * @param {string} color #rrggbb
 * @returns {string} black or white, the one with the higher contrast
 */
export function textColorOn(color) {
  const [r, g, b] = [1, 3, 5].map((i) => (parseInt(color.slice(i, i + 2), 16) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? DARK : LIGHT;
}

function prepareContext(canvas) {
  const { clientWidth, clientHeight } = canvas;
  const [width, height] = [clientWidth, clientHeight].map((length) => Math.round(length * devicePixelRatio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(width / clientWidth, 0, 0, height / clientHeight, 0, 0);
  context.clearRect(0, 0, clientWidth, clientHeight);
  return context;
}

function drawPicture(context, { view, size }, image, alpha) {
  context.globalAlpha = alpha;
  context.imageSmoothingEnabled = view.zoom <= MAX_SMOOTH_ZOOM;
  context.imageSmoothingQuality = "high";
  context.drawImage(image, view.x, view.y, size.width * view.zoom, size.height * view.zoom);
  context.globalAlpha = 1;
}

function drawPoint(context, at, style, held, box) {
  const radius = held ? RADIUS + 4 : RADIUS;
  const ring = new Path2D();
  if (style.thing) ring.arc(at.x, at.y, radius, 0, 2 * Math.PI);
  else ring.roundRect(at.x - radius, at.y - radius, 2 * radius, 2 * radius, 2);
  strokeLine(context, ring, style.color);
  const dot = new Path2D();
  dot.arc(at.x, at.y, 1.5, 0, 2 * Math.PI);
  outline(context, dot, 3);
  context.fillStyle = LIGHT;
  context.fill(dot);
  // above and to the right of the ring, unless there is no room
  const distance = radius - 2;
  const right = at.x + distance + TAG < box.left + box.width;
  const above = at.y - distance - TAG > box.top;
  const x = right ? at.x + distance : at.x - distance - TAG;
  drawTag(context, { x, y: above ? at.y - distance - TAG : at.y + distance }, style);
}

/** Draw a coloured line with light and dark edges, which is visible on any background. */
function strokeLine(context, path, color) {
  for (const [style, width] of [[DARK, 7], [LIGHT, 5], [color, 3]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.stroke(path);
  }
}

function outline(context, path, width) {
  context.strokeStyle = DARK;
  context.lineWidth = width;
  context.stroke(path);
}

function drawTag(context, corner, { color, label, thing }) {
  context.font = "700 11px system-ui, sans-serif";
  const width = Math.max(TAG, context.measureText(label).width + 8);
  const box = new Path2D();
  box.roundRect(corner.x, corner.y, width, TAG, thing ? TAG / 2 : 3);
  outline(context, box, 4);
  context.strokeStyle = LIGHT;
  context.lineWidth = 2;
  context.stroke(box);
  context.fillStyle = color;
  context.fill(box);
  context.fillStyle = textColorOn(color);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(label, corner.x + width / 2, corner.y + TAG / 2 + 0.5);
}

function drawCursor(context, { x, y, cross }, style) {
  if (cross) {
    const lines = new Path2D();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      lines.moveTo(x + 5 * dx, y + 5 * dy);
      lines.lineTo(x + 22 * dx, y + 22 * dy);
    }
    strokeLine(context, lines, style.color);
  }
  drawTag(context, { x: x + 14, y: y + 14 }, style);
}
