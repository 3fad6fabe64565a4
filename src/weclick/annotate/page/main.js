/** Entry point of the page: starts the app and connects keys, buttons and events of the tab to it. */

import { Api } from "./api.js";
import { App } from "./app.js";
import { byId } from "./dom.js";
import { annotator } from "./help.js";
import { findBinding } from "./keys.js";
import { notify } from "./notices.js";
import { watchPointers } from "./pointer.js";
import { replyToTabs } from "./tab.js";
import { TrainingPanel } from "./train.js";

// commands that repeat while their key is held down
const REPEATABLE = ["left", "right", "up", "down", "undo", "redo", "zoomIn", "zoomOut", "move", "moveFar"];

start();

async function start() {
  const api = new Api(annotator);
  try {
    const project = await api.project();
    document.title = `${project.name} · weclick annotate`;
    const app = new App(api, project);
    watchKeys(app, project.classes.length);
    watchButtons(app);
    watchTab(app);
    replyToTabs(() => app.claim());
    watchPointers(byId("canvas"), app.editor);
    byId("canvas").focus();
    await app.start(location.hash.slice(1) || null);
    if (project.training) new TrainingPanel(api, (id) => app.navigation.go(id));
  } catch (error) {
    notify(error.message, [["Try again", () => location.reload()]]);
    throw error;
  }
}

function watchKeys(app, classes) {
  document.addEventListener("keydown", (event) => {
    if (isTyping(event) || document.querySelector("dialog[open]")) return;
    const binding = findBinding(event, classes);
    if (!binding) return;
    event.preventDefault();
    if (event.repeat && !REPEATABLE.includes(binding.command)) return;
    if ("classId" in binding) app.chooseClass(binding.classId);
    else app.run(binding.command, event);
  });
  // the canvas shows a focus ring only to those who move the focus by Tab
  document.addEventListener("keydown", ({ key }) => key === "Tab" && (document.body.dataset.tabbed = ""));
  document.addEventListener("pointerdown", () => delete document.body.dataset.tabbed);
  document.addEventListener("keyup", (event) => event.key === " " && !isTyping(event) && app.player.stop());
}

/** Whether a key belongs to an input field, or presses the focused button. */
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
      // detail 0: pressed by keyboard or assistive technology, where it cannot be held; it starts and stops instead
      button.addEventListener("click", ({ detail }) => detail === 0 && app.togglePlay());
    } else {
      button.addEventListener("click", () => app.run(command));
    }
  }
  // after a press by pointer the canvas gets the focus back, so that keys work; keyboard users keep theirs
  document.addEventListener("click", ({ target, detail }) => {
    if (detail > 0 && target.closest("#top button, #bottom button")) byId("canvas").focus({ preventScroll: true });
  });
}

function watchTab(app) {
  for (const type of ["pointermove", "pointerdown", "keydown", "wheel"]) {
    document.addEventListener(type, () => app.noteActivity(), { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", () => app.visibilityChanged(document.hidden));
  new ResizeObserver(() => app.editor.resized()).observe(byId("bottom"));
  addEventListener("resize", () => app.editor.resized());
  addEventListener("blur", () => app.player.stop());
  addEventListener("online", () => app.saver.retryNow());
  addEventListener("pagehide", () => app.leave());
  addEventListener("beforeunload", (event) => app.saver.unsaved && event.preventDefault());
}
