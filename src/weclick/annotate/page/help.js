/** The help dialog, made from the table of key bindings. */

import { byId, element, setText } from "./dom.js";
import { BINDINGS, GESTURES } from "./keys.js";
import { read, write } from "./storage.js";

const NAME = "annotator"; // names in the local storage
const SEEN = "help-seen";

/** @param {import("./api.js").Project} project */
export function fillHelp(project) {
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

/** @returns {string} the name to store with clicks; may be empty */
export function annotator() {
  return (read(NAME) ?? "").replace(/[\x00-\x1f\x7f]+/g, " ").trim(); // the server refuses control characters
}

/** @returns {boolean} whether the help has been opened in this browser before */
export function hasSeenHelp() {
  return read(SEEN) !== null;
}

function gestureTable() {
  const head = element("tr", null, {}, ["mouse", "touch", ""].map((name) => element("th", name, { scope: "col" })));
  const rows = GESTURES.map(({ mouse, touch, description }) =>
    element("tr", null, {}, [element("td", mouse), element("td", touch), element("td", description)]),
  );
  return table("Mouse and touch", [head, ...rows]);
}

function keyTable(name, bindings) {
  const rows = bindings.map(({ shown, description }) =>
    element("tr", null, {}, [
      element("td", null, {}, shown.flatMap((key, i) => [...(i ? [" "] : []), element("kbd", key)])),
      element("td", description),
    ]),
  );
  const classes = element("tr", null, {}, [
    element("td", null, {}, [element("kbd", "1"), " … ", element("kbd", "0"), " letters"]),
    element("td", "choose the class with this key"),
  ]);
  return table(name, name === "Points" ? [classes, ...rows] : rows);
}

function table(caption, rows) {
  return element("table", null, {}, [element("caption", caption), element("tbody", null, {}, rows)]);
}
