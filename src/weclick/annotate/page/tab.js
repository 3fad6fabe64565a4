/** Which tab of the browser this is, and which others are open: asked as soon as the page is loaded. */

const PATIENCE = 500; // milliseconds until a tab that does not answer counts as closed
const QUESTION = "who is there?";

export const TAB = randomId();

const others = new Set();
const channel = new BroadcastChannel("weclick"); // a lock would tell as well, but asks for https
channel.addEventListener("message", ({ data }) => data !== QUESTION && others.add(data));
channel.postMessage(QUESTION);
const answered = new Promise((resolve) => setTimeout(resolve, PATIENCE));

/** @returns {Promise<Set<string>>} the other tabs that are open */
export async function otherTabs() {
  await answered;
  return others;
}

/**
 * Tell other tabs that this one is open, whenever one of them asks.
 * @param {() => void} asked called before that
 */
export function answerOthers(asked) {
  channel.addEventListener("message", ({ data }) => {
    if (data !== QUESTION) return;
    asked();
    channel.postMessage(TAB);
  });
}

function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12)); // crypto.randomUUID asks for https
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
