/** The picture with its points: what is seen of it, and what hands and keys do to it. */

import { draw } from "./draw.js";
import { lookOf } from "./looks.js";
import { altered, nearest, without } from "./points.js";
import { carriedOver, fit, isInside, isWithin, panned, toClick, toScreen, toSource, zoomAt } from "./view.js";

const MOST_SECONDS = 3600; // a click is not said to have taken longer
const MOST_POINTS = 2000; // the server takes no more in one frame

export class Editor {
  #view = null;
  #size = null;
  #image = null;
  #played = null;
  #held = null; // {index, at, offset, fresh, dragged}: a point in somebody's hand, shown where the hand is
  #cursor = null;
  #drawing = false;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./looks.js").Look[]} looks of the classes
   * @param {{box: () => import("./view.js").Box, now: () => number, changed: (what: string) => void,
   *   say: (text: string) => void, viewed: () => void, refused: () => void}} page the free part of the window, the
   *   time, and whom to tell of a change of points, of what may come as a surprise, of the view, of an attempt on
   *   somebody else's frame
   */
  constructor(canvas, looks, page) {
    Object.assign(this, { canvas, looks, page, work: null, current: 0, overlay: null, added: 0 });
  }

  /**
   * @param {import("./work.js").Work} work
   * @param {HTMLImageElement | null} image
   */
  show(work, image) {
    this.settle();
    const box = this.page.box();
    this.#view = this.#view ? carriedOver(this.#view, this.#size, work.size, box) : fit(work.size, box);
    this.#size = work.size;
    this.#image = image;
    this.work = work;
    this.redraw();
  }

  /** @param {HTMLImageElement | null} image a neighbour to show in place of the frame; null ends it */
  play(image) {
    this.#played = image;
    this.redraw();
  }

  get zoom() {
    return this.#view?.zoom ?? 1;
  }

  // ---- points

  /** Hold the nearest point that is near enough. */
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
      this.page.refused();
      return false;
    }
    if (this.work.points.length >= MOST_POINTS) {
      this.page.say(`A frame takes ${MOST_POINTS} points at most.`);
      return false;
    }
    const seconds = Math.min(Math.round(this.work.clock.lap(this.page.now()) * 100) / 100, MOST_SECONDS);
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
      const points = altered(this.work.points, held.index, held.at);
      this.#change(points, `${this.#name(points[held.index])} moved`, held.fresh);
    }
    this.redraw();
  }

  /** Let go of what is held, where it is: the frame is about to be another. */
  settle() {
    if (this.#held) this.drop(this.#held.dragged);
  }

  choose() {
    const held = this.#held;
    this.#held = null;
    if (held) this.#reclass(held.index);
  }

  remove(at, within) {
    this.#remove(nearest(this.#onScreen(), at, within));
  }

  undo() {
    if (!this.#refuses() && this.work.history.canUndo) this.#turn("undo", "undone");
  }

  redo() {
    if (!this.#refuses() && this.work.history.canRedo) this.#turn("redo", "done again");
  }

  removeNearest() {
    this.#remove(this.#nearestInSight());
  }

  reclassNearest() {
    const index = this.#nearestInSight();
    if (index >= 0 && !this.#refuses()) this.#reclass(index);
  }

  place() {
    if (this.add(this.#crosshair())) this.drop(false);
  }

  // ---- view

  hover(at) {
    if (at || !this.#cursor?.cross) this.#cursor = at && { ...at, cross: false };
    this.redraw();
  }

  pan(by) {
    this.#look((view, size, box) => panned(view, by, size, box));
  }

  zoomBy(factor, at = this.#crosshair()) {
    this.#look((view, size, box) => zoomAt(view, at, factor, size, box));
  }

  fit() {
    this.#look((_, size, box) => fit(size, box));
  }

  /** The window has another size. */
  resized() {
    if (this.#view?.fitted) this.fit();
    this.redraw();
  }

  /** Move the crosshair; at the border of the window the picture moves on under it. */
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
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      draw(this.canvas, this.#scene());
    });
  }

  // ---- inside

  get #editable() {
    return this.work !== null && this.work.leasedBy === null && this.work.visible && !this.#played;
  }

  /** Whether points cannot be changed now: somebody else's frame, or one in a hand. */
  #refuses() {
    if (!this.#editable) this.page.refused();
    return !this.#editable || this.#held !== null;
  }

  #scene() {
    const held = this.#held;
    const points = held ? altered(this.work.points, held.index, held.at) : this.work.points;
    return {
      view: this.#view,
      size: this.#size,
      box: this.page.box(),
      image: this.#played ?? this.#image,
      overlay: this.#played ? null : this.overlay,
      points: this.#played ? [] : points,
      looks: this.looks,
      held: held?.index ?? -1,
      cursor: this.#played ? null : this.#cursor,
      current: this.looks[this.current],
    };
  }

  #hold(index, at, fresh = false) {
    const { x, y } = this.work.points[index];
    const screen = toScreen(this.#view, { x, y });
    this.#held = { index, fresh, dragged: false, at: { x, y }, offset: { x: screen.x - at.x, y: screen.y - at.y } };
    this.redraw();
  }

  #remove(index) {
    if (index < 0 || this.#refuses()) return;
    const name = this.#name(this.work.points[index]);
    this.#change(without(this.work.points, index), "");
    this.page.say(`Removed: ${name}. Undo brings it back.`);
  }

  #reclass(index) {
    const point = this.work.points[index];
    if (point.class_id === this.current) return this.redraw();
    const points = altered(this.work.points, index, { class_id: this.current });
    this.#change(points, "");
    this.page.say(`${this.#name(point)} is ${this.#name(points[index])} now. Undo takes it back.`);
  }

  #change(points, what, amends = false) {
    if (amends) this.work.history.amend(points);
    else this.work.history.change(points);
    this.#changed(what);
  }

  #turn(way, what) {
    this.work.history[way]();
    this.#changed(what);
  }

  #changed(what) {
    if (this.work.status === "skipped") this.work.status = "todo"; // who clicks in it does not skip it
    this.page.changed(what);
    this.redraw();
  }

  #look(turn) {
    if (!this.work) return;
    this.#view = turn(this.#view, this.#size, this.page.box());
    this.page.viewed();
    this.redraw();
  }

  #onScreen() {
    return this.work ? this.work.points.map((point) => toScreen(this.#view, point)) : [];
  }

  /** Index of the point nearest to the crosshair: what nobody sees is not changed. */
  #nearestInSight() {
    const box = this.page.box();
    const seen = this.#onScreen().flatMap((at, index) => (isWithin(at, box) ? [{ ...at, index }] : []));
    if (!seen.length) this.page.say("No point in sight.");
    return seen[nearest(seen, this.#crosshair())]?.index ?? -1;
  }

  #crosshair() {
    const { left, top, width, height } = this.page.box();
    return this.#cursor ?? { x: left + width / 2, y: top + height / 2 };
  }

  #name(point) {
    return lookOf(this.looks, point.class_id).name;
  }
}
