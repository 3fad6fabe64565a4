/** The page of `weclick annotate`: begins, and hands keys, buttons and the tab's comings and goings to the app. */

import { Api } from "./api.js";
import { App } from "./app.js";
import { byId } from "./dom.js";
import { annotator } from "./help.js";
import { lookUp } from "./keys.js";
import { notify } from "./notices.js";
import { watch } from "./pointer.js";
import { answerOthers } from "./tab.js";

// held down, these go on; of all others one press does one thing
const REPEATABLE = ["left", "right", "up", "down", "undo", "redo", "zoomIn", "zoomOut", "move", "moveFar"];

begin();

async function begin() {
  const api = new Api(annotator);
  try {
    const project = await api.project();
    document.title = `${project.name} · weclick annotate`;
    const app = new App(api, project);
    watchKeys(app, project.classes.length);
    watchButtons(app);
    watchTab(app);
    answerOthers(() => app.claim());
    watch(byId("canvas"), handOf(app.editor));
    byId("canvas").focus();
    await app.begin(location.hash.slice(1) || null);
  } catch (error) {
    notify(error.message, [["Try again", () => location.reload()]]);
    throw error;
  }
}

function handOf(editor) {
  return {
    hover: (at) => editor.hover(at),
    take: (at, within) => editor.take(at, within),
    add: (at) => editor.add(at),
    drag: (at) => editor.drag(at),
    drop: (moved) => editor.drop(moved),
    choose: () => editor.choose(),
    remove: (at, within) => editor.remove(at, within),
    pan: (by) => editor.pan(by),
    zoom: (at, factor) => editor.zoomBy(factor, at),
  };
}

function watchKeys(app, classes) {
  document.addEventListener("keydown", (event) => {
    if (isTyping(event) || byId("help").open) return;
    const found = lookUp(event, classes);
    if (!found) return;
    event.preventDefault();
    if (event.repeat && !REPEATABLE.includes(found.command)) return;
    if ("classId" in found) app.chooseClass(found.classId);
    else app.run(found.command, event);
  });
  // where the keys go is shown to those who go there by key
  document.addEventListener("keydown", ({ key }) => key === "Tab" && (document.body.dataset.tabbed = ""));
  document.addEventListener("pointerdown", () => delete document.body.dataset.tabbed);
  document.addEventListener("keyup", (event) => event.key === " " && !isTyping(event) && app.player.stop());
}

/** Whether a press belongs to a field, or works the button that has the focus. */
function isTyping({ target, key }) {
  if (target.matches("input")) return true;
  return target.matches("button") && (key === "Enter" || key === " ");
}

function watchButtons(app) {
  for (const button of document.querySelectorAll("[data-command]")) {
    const { command } = button.dataset;
    if (command === "play") {
      button.addEventListener("pointerdown", () => app.run("play"));
      for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
        button.addEventListener(end, () => app.player.stop());
      }
      // not from a pointer, so nothing is held: one press begins, the next one ends
      button.addEventListener("click", ({ detail }) => detail === 0 && app.togglePlay());
    } else {
      button.addEventListener("click", () => app.run(command));
    }
  }
  // after a press by mouse or finger the keys are the canvas's again; who goes by keyboard stays where he is
  document.addEventListener("click", ({ target, detail }) => {
    if (detail > 0 && target.closest("#top button, #bottom button")) byId("canvas").focus({ preventScroll: true });
  });
}

function watchTab(app) {
  for (const sign of ["pointermove", "pointerdown", "keydown", "wheel"]) {
    document.addEventListener(sign, () => app.noteActivity(), { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", () => app.tabHidden(document.hidden));
  new ResizeObserver(() => app.editor.resized()).observe(byId("bottom"));
  addEventListener("resize", () => app.editor.resized());
  addEventListener("blur", () => app.player.stop());
  addEventListener("online", () => app.saver.hurry());
  addEventListener("pagehide", () => app.leave());
  addEventListener("beforeunload", (event) => app.saver.unsaved && event.preventDefault());
}
