/** The parts of the page, put together: what each command does, and who is told of what. */

import { frameUrl } from "./api.js";
import { Desk } from "./desk.js";
import { byId } from "./dom.js";
import { Editor } from "./editor.js";
import { knowsHelp, makeHelp, showHelp } from "./help.js";
import { classKey } from "./keys.js";
import { Panel } from "./panel.js";
import { Pictures, Player } from "./pictures.js";
import { Saver } from "./saver.js";

const ZOOM_STEP = Math.SQRT2;
const STEP = 6; // pixels the crosshair moves
const FAR_STEP = 48;
const PROGRESS_DELAY = 300; // milliseconds: one question after a burst of clicks
const SIDES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class App {
  #overlayOn = false;
  #emptyAccepted = null; // id of a frame that was called done without a point, once
  #saidFailure = null;
  #conflicts = new Map(); // id -> {work, error}
  #progressTimer = null;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./api.js").Project} project
   */
  constructor(api, project) {
    this.api = api;
    const looks = project.classes.map(lookOf);
    const pictures = new Pictures((id) => frameUrl(id, "image"));
    this.overlays = new Pictures((id) => frameUrl(id, "overlay"));
    this.player = new Player(pictures, (image, offset) => this.#playing(image, offset));
    this.panel = new Panel(looks, (id) => this.chooseClass(id));
    this.editor = new Editor(byId("canvas"), looks, this.#editorListeners());
    this.saver = this.#makeSaver();
    this.desk = new Desk({ api, pictures, saver: this.saver, videos: project.videos, now, ...this.#deskListeners() });
    this.commands = this.#makeCommands();
    makeHelp(project);
    byId("actions").querySelector("[data-command=overlay]").hidden = !project.overlay;
  }

  /** @param {string | null} id frame to begin with */
  async begin(id) {
    await this.desk.begin(id);
    if (!this.desk.work) return this.panel.notify("No frame can be shown.", [["Try again", () => location.reload()]]);
    if (!knowsHelp()) this.panel.say("Choose a class, then click each of its objects once. ? explains everything.");
  }

  /**
   * @param {string} command
   * @param {KeyboardEvent} [event]
   */
  run(command, event) {
    if (this.desk.work) this.commands[command](event);
  }

  /** @param {number} id */
  chooseClass(id) {
    this.editor.current = id;
    this.panel.reveal(id);
    this.editor.redraw();
    this.#render();
  }

  /** Somebody is here. */
  noteActivity() {
    this.desk.work?.clock.note(now());
  }

  /** @param {boolean} hidden whether the tab cannot be seen */
  tabHidden(hidden) {
    this.player.stop();
    if (hidden) return this.desk.work?.clock.stop(now());
    this.desk.work?.clock.start(now());
    this.desk.beat();
  }

  /** Let others have the frame. */
  leave() {
    if (this.desk.work?.leasedBy === null) this.api.release(this.desk.work.id).catch(() => null);
  }

  #makeCommands() {
    const { desk, editor, player, panel } = this;
    return {
      done: () => this.#done(),
      skip: () => desk.finish("skipped"),
      reopen: () => this.#reopen(),
      back: () => desk.back(),
      left: () => desk.step(-1),
      right: () => desk.step(1),
      up: () => desk.step(-10),
      down: () => desk.step(10),
      videoBefore: () => desk.jump(-1),
      videoAfter: () => desk.jump(1),
      play: () => player.start(desk.work.frame.around),
      undo: () => editor.undo(),
      redo: () => editor.redo(),
      remove: () => editor.removeNearest(),
      reclass: () => editor.reclassNearest(),
      place: () => editor.place(),
      move: ({ key }) => this.#moveCrosshair(key, STEP),
      moveFar: ({ key }) => this.#moveCrosshair(key, FAR_STEP),
      zoomIn: () => editor.zoomBy(ZOOM_STEP),
      zoomOut: () => editor.zoomBy(1 / ZOOM_STEP),
      fit: () => editor.fit(),
      overlay: () => this.#toggleOverlay(),
      find: () => panel.find(),
      help: () => showHelp(),
    };
  }

  #editorListeners() {
    return {
      box: freeBox,
      now,
      changed: (what) => this.#changed(what),
      removed: (name) => this.panel.say(`Removed: ${name}. Undo brings it back.`),
      viewed: () => this.#render(),
      refused: () => this.panel.say(obstacle(this.desk.work)),
    };
  }

  #deskListeners() {
    return {
      shown: (image) => this.#shown(image),
      locked: () => this.#showNotice(),
      say: (text) => this.panel.say(text),
    };
  }

  #makeSaver() {
    return new Saver(
      (work) => work.content(now()),
      (id, content) => this.api.save(id, content),
      () => this.#saverChanged(),
      (work, error) => {
        this.#conflicts.set(work.id, { work, error });
        this.#showNotice();
      },
    );
  }

  #changed(what) {
    this.saver.save(this.desk.work);
    this.panel.tell(what);
    this.#render();
  }

  #shown(image) {
    const { work } = this.desk;
    this.player.stop();
    this.editor.show(work, image);
    history.replaceState(null, "", `#${work.id}`);
    this.#showNotice();
    this.#showOverlay();
    this.#askProgress();
    this.#render();
  }

  #done() {
    const { work } = this.desk;
    const surprising = work.points.length === 0 && !obstacle(work) && this.#emptyAccepted !== work.id;
    if (!surprising) return this.desk.finish("done");
    this.#emptyAccepted = work.id;
    this.panel.say("No point yet. Done again if nothing here belongs to a class; Skip to leave the frame out.");
  }

  #reopen() {
    const { work } = this.desk;
    if (work.leasedBy !== null) return;
    work.status = "todo";
    this.#changed("to do again");
  }

  #moveCrosshair(key, step) {
    const [dx, dy] = SIDES[key];
    this.editor.moveCrosshair({ x: dx * step, y: dy * step });
  }

  #playing(image, offset) {
    this.editor.play(image);
    if (image) this.panel.showOffset(offset);
    else this.#render();
  }

  #toggleOverlay() {
    this.#overlayOn = !this.#overlayOn;
    this.#showOverlay();
  }

  async #showOverlay() {
    const { id } = this.desk.work;
    byId("actions").querySelector("[data-command=overlay]").setAttribute("aria-pressed", String(this.#overlayOn));
    this.editor.overlay = null;
    this.editor.redraw();
    if (!this.#overlayOn) return;
    const image = await this.overlays.get(id).catch(() => null);
    this.overlays.keep([id]);
    if (!image) return this.panel.say("no prediction for this frame");
    if (id !== this.desk.work.id || !this.#overlayOn) return;
    this.editor.overlay = image;
    this.editor.redraw();
  }

  /** What has to be decided first, or who holds the frame, or nothing. */
  #showNotice() {
    const [conflict] = this.#conflicts.values();
    const { work } = this.desk;
    if (conflict) return this.#showConflict(conflict);
    const another = work.leasedBy === null ? "skipped" : work.status;
    const buttons = [["Another frame", () => this.desk.finish(another)]];
    this.panel.notify(obstacle(work), obstacle(work) ? buttons : []);
  }

  #showConflict({ work, error: { message, frame } }) {
    const { video, number } = work.frame;
    this.panel.notify(`${video}, frame ${number}: ${message}`, [
      ["Take the stored state", () => this.#resolve(work, frame, false)],
      ["Keep mine", () => this.#resolve(work, frame, true)],
    ]);
  }

  async #resolve(work, stored, keepsMine) {
    this.#conflicts.delete(work.id);
    this.saver.resolve(work.id, keepsMine ? stored.version : null);
    if (!keepsMine) await this.desk.replace(stored);
    this.#showNotice();
  }

  #saverChanged() {
    const { unsaved, problem, failure } = this.saver;
    this.panel.showSaved(unsaved, problem);
    if (failure && failure !== this.#saidFailure) this.panel.say(`${failure}; meanwhile your clicks are kept here`);
    this.#saidFailure = failure;
    if (!unsaved) this.#askProgress();
  }

  #askProgress() {
    clearTimeout(this.#progressTimer);
    this.#progressTimer = setTimeout(async () => {
      const progress = await this.api.progress().catch(() => null);
      if (progress) this.panel.showProgress(progress);
    }, PROGRESS_DELAY);
  }

  #render() {
    const { desk, editor, panel } = this;
    panel.showWork(desk.work, editor.current, editor.zoom);
    panel.showTimes(desk.seconds, editor.added, desk.finished);
  }
}

/** @returns {number} seconds on a clock that only goes on */
export function now() {
  return performance.now() / 1000;
}

function lookOf({ id, name, color, thing }) {
  return { name, color, thing, glyph: classKey(id)?.toUpperCase() ?? String(id) };
}

/** Why a frame cannot be clicked; empty when it can. */
function obstacle({ leasedBy, visible }) {
  if (leasedBy !== null) return `You can look, not change: ${leasedBy || "somebody"} is working on this frame.`;
  return visible ? "" : "The picture of this frame cannot be shown. Skip leaves it out.";
}

/** The part of the window that no bar covers. */
function freeBox() {
  const top = byId("top").getBoundingClientRect().bottom;
  const bottom = byId("bottom").getBoundingClientRect().top;
  return { left: 0, top, width: innerWidth, height: Math.max(bottom - top, 1) };
}
