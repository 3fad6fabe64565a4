/** The help: everything on one screen, made from the tables that the page itself works by. */

import { byId, element, setText } from "./dom.js";
import { BINDINGS, GESTURES } from "./keys.js";
import { read, write } from "./storage.js";

const NAME = "annotator"; // what the browser keeps
const SEEN = "help-seen";

/**
 * @param {import("./api.js").Project} project
 */
export function makeHelp(project) {
  const bindings = BINDINGS.filter(({ command }) => command !== "overlay" || project.overlay);
  const groups = [...new Set(bindings.map(({ group }) => group))];
  const keyTables = groups.map((name) => keyTable(name, bindings.filter(({ group }) => group === name)));
  byId("help-tables").append(gestureTable(), ...keyTables);
  setText("about", `weclick ${project.version} · ${project.name}`);
  const field = byId("annotator");
  field.value = annotator();
  field.addEventListener("change", () => write(NAME, field.value.trim()));
  byId("help-close").addEventListener("click", () => byId("help").close());
  byId("help").addEventListener("click", (event) => event.target === byId("help") && byId("help").close());
}

export function showHelp() {
  write(SEEN, "yes");
  byId("help").showModal();
}

/** @returns {string} the name to store with clicks; empty when none was given */
export function annotator() {
  return (read(NAME) ?? "").replace(/[\x00-\x1f\x7f]+/g, " ").trim(); // the server takes no control characters
}

/** @returns {boolean} whether somebody opened the help in this browser before */
export function knowsHelp() {
  return read(SEEN) !== null;
}

function gestureTable() {
  const head = element("tr", null, {}, ["mouse", "finger", ""].map((name) => element("th", name, { scope: "col" })));
  const rows = GESTURES.map(({ mouse, touch, does }) =>
    element("tr", null, {}, [element("td", mouse), element("td", touch), element("td", does)]),
  );
  return table("Mouse and finger", [head, ...rows]);
}

function keyTable(name, bindings) {
  const rows = bindings.map(({ shown, does }) =>
    element("tr", null, {}, [
      element("td", null, {}, shown.flatMap((key, i) => [...(i ? [" "] : []), element("kbd", key)])),
      element("td", does),
    ]),
  );
  const classes = element("tr", null, {}, [
    element("td", null, {}, [element("kbd", "1"), " … ", element("kbd", "0"), " letters"]),
    element("td", "choose the class that shows this key"),
  ]);
  return table(name, name === "Points" ? [classes, ...rows] : rows);
}

function table(caption, rows) {
  return element("table", null, {}, [element("caption", caption), element("tbody", null, {}, rows)]);
}
