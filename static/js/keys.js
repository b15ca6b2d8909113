// Single keys: `?` for help, `g` and a letter for a page, `c` for a new text, `[` for the sidebar. Each person may switch
// them off, as WCAG 2.1.4 asks.
import { csrfToken, isTyping, recall, store } from "./dom.js";
import { commands, keysFor, run } from "./palette.js";

const SECOND_KEY_MS = 900;
const SWITCH = "millrace.keys";

/** A person's own choice comes with the page; a stranger's is the browser's. */
function areOn() {
  const chosen = document.body.dataset.singleKeys;
  return chosen ? chosen === "on" : recall(SWITCH) !== "off";
}

function keep(on) {
  if (!document.body.dataset.singleKeys) {
    store(SWITCH, on ? null : "off");
    return;
  }
  document.body.dataset.singleKeys = on ? "on" : "off";
  const body = new FormData();
  body.set("single_keys", on ? "on" : "off");
  const headers = { "X-CSRFToken": csrfToken() };
  fetch(document.body.dataset.preferences, { method: "POST", headers, body, keepalive: true });
}

function openHelp() {
  const dialog = document.getElementById("help");
  if (dialog && !dialog.open) dialog.showModal();
}

function onKey(event, first) {
  const withG = event.timeStamp - first < SECOND_KEY_MS;
  const single = { "?": openHelp, "[": () => document.querySelector("[data-fold]")?.click() };
  const keys = withG ? `g ${event.key}` : event.key;
  const command = commands.find((candidate) => candidate.keys === keys);
  const act = command ? () => run(command) : single[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

/** The keys of this page's own commands, beside those that the help names anyway. */
function fillHelp() {
  const names = document.getElementById("help-keys");
  for (const command of commands.filter(({ keys }) => keys)) {
    const term = document.createElement("dt");
    term.textContent = command.label;
    const description = document.createElement("dd");
    description.append(keysFor(command.keys));
    names.append(term, description);
  }
}

export function setUpKeys() {
  if (!document.getElementById("help")) return;
  let first = -SECOND_KEY_MS;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !areOn()) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "g") first = event.timeStamp;
    else if (event.key.length === 1) onKey(event, first);
  });
  fillHelp();
  const choice = document.getElementById("single-keys");
  choice.checked = areOn();
  choice.addEventListener("change", () => keep(choice.checked));
}
