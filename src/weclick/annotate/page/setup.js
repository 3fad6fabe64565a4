/** Entry point of the setup: asks for the classes of a new project while its videos are decoded. */

import { ApiError, request } from "./api.js";
import { byId, element, setText } from "./dom.js";
import { textColorOn } from "./draw.js";

const POLL = 400; // milliseconds
const FIRST_ROWS = 3;

let colors = [];

byId("add").addEventListener("click", () => addRow().focus());
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});
watch();

/** Show how far the project is until the page for clicking can be loaded. */
async function watch() {
  try {
    const setup = await request("GET", "/api/setup");
    if (setup.ready) return location.replace("/");
    show(setup);
    if (setup.problem) return showProblem(`${setup.problem}. Then start weclick again.`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    setText("decoding-text", `${error.message}; start weclick again, this page goes on`);
  }
  setTimeout(watch, POLL);
}

function show({ name, videos, colors: listed, named, video, done, total }) {
  colors = listed;
  setText("title", name);
  setText("videos", videos.join(", "));
  byId("form").hidden = named;
  if (!named && !byId("rows").children.length) {
    for (let row = 0; row < FIRST_ROWS; row++) addRow();
    byId("rows").querySelector("input").focus();
  }
  const decoded = done > 0 && done >= total;
  byId("decoded").value = total ? done / total : 0;
  const waiting = named ? "opening the page for clicking …" : "ready";
  setText("decoding-text", decoded ? waiting : `decoding ${video}: ${done} of ${total} frames`);
}

/** @returns {HTMLInputElement} the field for the name of a new class */
function addRow() {
  const number = byId("rows").children.length;
  const label = `Name of class ${number + 1}`;
  const name = element("input", null, { maxLength: 60, autocomplete: "off", placeholder: label, ariaLabel: label });
  name.dataset.field = "name";
  const kind = element("input", null, { type: "checkbox" });
  const color = element("span", String(number + 1), { className: "key" });
  color.style.background = colors[number];
  color.style.color = textColorOn(colors[number]);
  const thing = element("label", null, { title: "Its objects can be counted: click each one" }, [kind, "thing"]);
  byId("rows").append(element("div", null, { className: "row" }, [color, name, thing]));
  name.addEventListener("keydown", (event) => goOn(event, name));
  return name;
}

/** Enter goes to the next field; in an empty last one it starts. */
function goOn(event, name) {
  if (event.key !== "Enter") return;
  const fields = [...byId("rows").querySelectorAll("[data-field=name]")];
  const next = fields[fields.indexOf(name) + 1];
  if (!name.value.trim()) return;
  event.preventDefault();
  (next ?? addRow()).focus();
}

/** Send the classes; empty rows do not count. */
async function begin() {
  const rows = [...byId("rows").children].map((row) => {
    const [name, thing] = row.querySelectorAll("input");
    return { name: name.value.trim(), thing: thing.checked };
  });
  showProblem("");
  byId("begin").disabled = true;
  try {
    show(await request("POST", "/api/setup", { classes: rows.filter(({ name }) => name) }));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    showProblem(error.message);
  }
  byId("begin").disabled = false;
}

function showProblem(text) {
  byId("problem").hidden = !text;
  setText("problem", text);
}
