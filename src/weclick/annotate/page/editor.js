/** The editor: shows the picture with its points, and changes points and view. */

import { draw } from "./draw.js";
import { nearest, withChange, without } from "./points.js";
import { styleOf } from "./styles.js";
import { fit, isInBox, isInside, pan, toClick, toScreen, toSource, viewOfNext, zoomAt } from "./view.js";

const MAX_SECONDS = 3600; // limits of the server for one click and one frame
const MAX_POINTS = 2000;

export class Editor {
  #view = null;
  #size = null;
  #image = null;
  #played = null;
  #held = null; // {index, at, offset, fresh, dragged}: the point that the pointer holds, shown at `at`
  #cursor = null;
  #drawing = false;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./styles.js").ClassStyle[]} styles of the classes
   * @param {{box: () => import("./view.js").Box, now: () => number, changed: (description: string) => void,
   *   showMessage: (text: string) => void, viewChanged: () => void, locked: () => void}} page the free part of the
   *   window, the time, and callbacks; `locked` is called when the user tries to change points that are read-only
   */
  constructor(canvas, styles, page) {
    Object.assign(this, { canvas, styles, page, work: null, current: 0, overlay: null, opacity: 0.5, added: 0 });
  }

  /**
   * @param {import("./work.js").Work} work
   * @param {HTMLImageElement | null} image
   */
  show(work, image) {
    this.dropHeld();
    const box = this.page.box();
    this.#view = this.#view ? viewOfNext(this.#view, this.#size, work.size, box) : fit(work.size, box);
    this.#size = work.size;
    this.#image = image;
    this.work = work;
    this.redraw();
  }

  /** @param {HTMLImageElement | null} image a neighbour to show instead of the frame; null shows the frame again */
  play(image) {
    this.#played = image;
    this.redraw();
  }

  get zoom() {
    return this.#view?.zoom ?? 1;
  }

  // ---- points

  /** Hold the nearest point within this distance; returns whether there is one. */
  take(at, within) {
    const index = this.#editable ? nearest(this.#onScreen(), at, within) : -1;
    if (index < 0) return false;
    this.#hold(index, at);
    return true;
  }

  add(at) {
    if (!this.work) return false;
    const source = toSource(this.#view, at);
    if (!isInside(source, this.#size)) return false;
    if (!this.#editable) {
      this.page.locked();
      return false;
    }
    if (this.work.points.length >= MAX_POINTS) {
      this.page.showMessage(`A frame can have at most ${MAX_POINTS} points.`);
      return false;
    }
    const seconds = Math.min(Math.round(this.work.stopwatch.lap(this.page.now()) * 100) / 100, MAX_SECONDS);
    this.added += 1;
    const point = { ...toClick(source, this.#size), class_id: this.current, seconds };
    this.#change([...this.work.points, point], `${this.#name(point)} added`);
    this.#hold(this.work.points.length - 1, at, true);
    return true;
  }

  drag(at) {
    if (!this.#held) return;
    const { offset } = this.#held;
    const source = toSource(this.#view, { x: at.x + offset.x, y: at.y + offset.y });
    this.#held.at = toClick(source, this.#size);
    this.#held.dragged = true;
    this.redraw();
  }

  drop(moved) {
    const held = this.#held;
    this.#held = null;
    if (held && moved) {
      const points = withChange(this.work.points, held.index, held.at);
      this.#change(points, `${this.#name(points[held.index])} moved`, held.fresh);
    }
    this.redraw();
  }

  /** Drop a held point where it is, before another frame is shown. */
  dropHeld() {
    if (this.#held) this.drop(this.#held.dragged);
  }

  /** Give the held point the current class, and drop it. */
  choose() {
    const held = this.#held;
    this.#held = null;
    if (held) this.#changeClass(held.index);
  }

  remove(at, within) {
    this.#remove(nearest(this.#onScreen(), at, within));
  }

  undo() {
    if (this.#isLocked() || !this.work.history.canUndo) return;
    this.work.history.undo();
    this.#changed("undone");
  }

  redo() {
    if (this.#isLocked() || !this.work.history.canRedo) return;
    this.work.history.redo();
    this.#changed("redone");
  }

  removeNearest() {
    this.#remove(this.#nearestVisible());
  }

  changeClassOfNearest() {
    const index = this.#nearestVisible();
    if (index >= 0 && !this.#isLocked()) this.#changeClass(index);
  }

  addAtCrosshair() {
    if (this.add(this.#crosshair())) this.drop(false);
  }

  // ---- view

  hover(at) {
    if (at || !this.#cursor?.cross) this.#cursor = at && { ...at, cross: false };
    this.redraw();
  }

  pan(by) {
    this.#changeView((view, size, box) => pan(view, by, size, box));
  }

  zoomBy(factor, at = this.#crosshair()) {
    this.#changeView((view, size, box) => zoomAt(view, at, factor, size, box));
  }

  fit() {
    this.#changeView((_, size, box) => fit(size, box));
  }

  /** The size of the window has changed. */
  resized() {
    if (this.#view?.fitted) this.fit();
    this.redraw();
  }

  /** Move the crosshair; at the border of the window, the picture moves instead. */
  moveCrosshair(by) {
    const { left, top, width, height } = this.page.box();
    const from = this.#crosshair();
    const x = Math.min(Math.max(from.x + by.x, left), left + width);
    const y = Math.min(Math.max(from.y + by.y, top), top + height);
    this.#cursor = { x, y, cross: true };
    const rest = { x: x - from.x - by.x, y: y - from.y - by.y };
    if (rest.x || rest.y) this.pan(rest);
    this.redraw();
  }

  redraw() {
    if (this.#drawing || !this.work) return;
    this.#drawing = true; // several changes before the next screen refresh are drawn once
    requestAnimationFrame(() => {
      this.#drawing = false;
      draw(this.canvas, this.#scene());
    });
  }

  // ---- inside

  get #editable() {
    return this.work !== null && this.work.leasedBy === null && this.work.visible && !this.#played;
  }

  /** Whether points cannot be changed now: the frame is read-only, or a point is held. */
  #isLocked() {
    if (!this.#editable) this.page.locked();
    return !this.#editable || this.#held !== null;
  }

  #scene() {
    const held = this.#held;
    const points = held ? withChange(this.work.points, held.index, held.at) : this.work.points;
    return {
      view: this.#view,
      size: this.#size,
      box: this.page.box(),
      image: this.#played ?? this.#image,
      overlay: this.#played ? null : this.overlay,
      opacity: this.opacity,
      points: this.#played ? [] : points,
      styles: this.styles,
      held: held?.index ?? -1,
      cursor: this.#played ? null : this.#cursor,
      current: styleOf(this.styles, this.current),
    };
  }

  #hold(index, at, fresh = false) {
    const { x, y } = this.work.points[index];
    const screen = toScreen(this.#view, { x, y });
    this.#held = { index, fresh, dragged: false, at: { x, y }, offset: { x: screen.x - at.x, y: screen.y - at.y } };
    this.redraw();
  }

  #remove(index) {
    if (index < 0 || this.#isLocked()) return;
    const name = this.#name(this.work.points[index]);
    this.#change(without(this.work.points, index), "");
    this.page.showMessage(`Removed: ${name}. Press Undo to restore it.`);
  }

  #changeClass(index) {
    const point = this.work.points[index];
    if (point.class_id === this.current) return this.redraw();
    const points = withChange(this.work.points, index, { class_id: this.current });
    this.#change(points, "");
    this.page.showMessage(`Changed ${this.#name(point)} to ${this.#name(points[index])}. Press Undo to revert it.`);
  }

  #change(points, description, amends = false) {
    if (amends) this.work.history.amend(points);
    else this.work.history.change(points);
    this.#changed(description);
  }

  #changed(description) {
    this.work.edited();
    this.page.changed(description);
    this.redraw();
  }

  #changeView(change) {
    if (!this.work) return;
    this.#view = change(this.#view, this.#size, this.page.box());
    this.page.viewChanged();
    this.redraw();
  }

  #onScreen() {
    return this.work ? this.work.points.map((point) => toScreen(this.#view, point)) : [];
  }

  /** Index of the visible point nearest to the crosshair; a key never changes a point that is out of view. */
  #nearestVisible() {
    const box = this.page.box();
    const visible = this.#onScreen().flatMap((at, index) => (isInBox(at, box) ? [{ ...at, index }] : []));
    if (!visible.length) this.page.showMessage("No point is visible.");
    return visible[nearest(visible, this.#crosshair())]?.index ?? -1;
  }

  #crosshair() {
    const { left, top, width, height } = this.page.box();
    return this.#cursor ?? { x: left + width / 2, y: top + height / 2 };
  }

  #name(point) {
    return styleOf(this.styles, point.class_id).name;
  }
}
