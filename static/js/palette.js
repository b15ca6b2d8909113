// Command palette (Ctrl/⌘K): pages and acts of this page, and the organization's own things, which the server finds.
import { icon, recall, store, texts } from "./dom.js";
import { rank } from "./ranking.js";

const WAIT_MS = 130;
const LEAST_LETTERS = 2;
const RECENT = "millrace.palette";
const MOST_RECENT = 4;

/** Any link or button with data-command: {label, note, icon, keys, element}. */
export const commands = [];

let dialog;
let input;
let list;
let status;
let shown = [];
let selected = 0;
let found = { query: "", groups: [] };
let asking = null;
let timer = 0;

/** The words of a link or button: "Studio", not "Studio g s". */
function wordsOf(element) {
  const label = element.querySelector(".label-text");
  if (label) return label.textContent.trim();
  const words = [...element.childNodes].filter((node) => !(node instanceof Element && node.matches("kbd, svg, .end")));
  return words.map((node) => node.textContent.trim()).join(" ").trim();
}

function collectCommands() {
  for (const element of document.querySelectorAll("[data-command]")) {
    const label = element.dataset.command || wordsOf(element);
    // A wide and a narrow menu may both hold the same link.
    if (!label || commands.some((command) => command.label === label)) continue;
    const drawing = element.querySelector(".icon use")?.getAttribute("href").split("#")[1];
    commands.push({ label, icon: drawing || "arrow", keys: element.dataset.keys, element });
  }
}

function recentLabels() {
  try {
    return JSON.parse(recall(RECENT) || "[]");
  } catch {
    return [];
  }
}

/** What is offered: with words the best matches and what the server found, without them what was used last. */
function sections() {
  const query = input.value.trim();
  if (query) {
    const matching = rank(commands, query, (command) => command.label);
    return [{ label: texts.palette.commands, items: matching }, ...(found.query === query ? found.groups : [])];
  }
  const recent = recentLabels()
    .map((label) => commands.find((command) => command.label === label))
    .filter(Boolean);
  const others = commands.filter((command) => !recent.includes(command));
  return [
    { label: texts.palette.recent, items: recent },
    { label: texts.palette.commands, items: others },
  ];
}

function render() {
  const rows = [];
  shown = [];
  for (const { label, items } of sections()) {
    if (!items.length) continue;
    const heading = document.createElement("li");
    heading.setAttribute("role", "presentation");
    heading.textContent = label;
    rows.push(heading);
    for (const item of items) {
      rows.push(optionFor(item, shown.length));
      shown.push(item);
    }
  }
  list.replaceChildren(...rows);
  select(Math.min(selected, Math.max(shown.length - 1, 0)));
  const nothing = !shown.length && !asking;
  document.getElementById("palette-empty").hidden = !nothing;
  list.setAttribute("aria-busy", String(Boolean(asking)));
}

function optionFor(item, index) {
  const option = document.createElement("li");
  option.id = `command-${index}`;
  option.setAttribute("role", "option");
  const words = document.createElement("span");
  words.className = "option-words";
  words.textContent = item.label;
  option.append(icon(item.icon), words);
  if (item.note) {
    const note = document.createElement("span");
    note.className = "option-note";
    note.textContent = item.note;
    option.append(note);
  }
  if (item.keys) option.append(keysFor(item.keys));
  option.addEventListener("click", () => run(item));
  return option;
}

export function keysFor(keys) {
  const box = document.createElement("span");
  for (const key of keys.split(" ")) {
    const cap = document.createElement("kbd");
    cap.textContent = key;
    box.append(cap, " ");
  }
  return box;
}

function select(index) {
  selected = index;
  for (const option of list.querySelectorAll("[role=option]")) {
    option.setAttribute("aria-selected", String(option.id === `command-${selected}`));
  }
  if (shown.length) input.setAttribute("aria-activedescendant", `command-${selected}`);
  else input.removeAttribute("aria-activedescendant");
  document.getElementById(`command-${selected}`)?.scrollIntoView({ block: "nearest" });
}

export function run(item) {
  if (dialog.open) dialog.close();
  if (item.url) {
    location.assign(item.url);
    return;
  }
  const labels = [item.label, ...recentLabels().filter((label) => label !== item.label)];
  store(RECENT, JSON.stringify(labels.slice(0, MOST_RECENT)));
  item.element.click();
}

function move(step) {
  if (shown.length) select((selected + step + shown.length) % shown.length);
}

/** Asks the server for the organization's things; only the answer to the newest question is shown. */
function ask() {
  clearTimeout(timer);
  asking?.abort();
  asking = null;
  const query = input.value.trim();
  const address = dialog.dataset.search;
  if (!address || query.length < LEAST_LETTERS || query === found.query) return;
  const question = new AbortController();
  asking = question;
  timer = setTimeout(() => answer(address, query, question), WAIT_MS);
}

async function answer(address, query, question) {
  let groups = [];
  try {
    const response = await fetch(`${address}?q=${encodeURIComponent(query)}`, {
      headers: { Accept: "application/json" },
      signal: question.signal,
    });
    if (response.ok && !response.redirected) ({ groups } = await response.json());
  } catch {
    // Taken over by a newer question, or offline: the commands of the page remain.
  }
  if (asking !== question) return;
  asking = null;
  found = { query, groups };
  render();
  status.textContent = texts.palette.found.replace("{n}", shown.length);
}

export function openPalette() {
  if (dialog.open) return;
  // The drawer of a narrow screen would lie above the dialog.
  document.querySelector(".sidebar:popover-open")?.hidePopover();
  input.value = "";
  found = { query: "", groups: [] };
  selected = 0;
  render();
  dialog.showModal();
  input.focus();
}

function onKey(event) {
  const acts = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    Home: () => input.value || select(0),
    Enter: () => shown[selected] && run(shown[selected]),
  };
  const act = acts[event.key];
  if (!act || event.isComposing) return;
  event.preventDefault();
  act();
}

export function setUpPalette() {
  dialog = document.getElementById("palette");
  if (!dialog) return;
  input = document.getElementById("palette-input");
  list = document.getElementById("palette-list");
  status = document.getElementById("palette-status");
  collectCommands();
  input.addEventListener("input", () => {
    selected = 0;
    ask();
    render();
  });
  input.addEventListener("keydown", onKey);
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette();
    }
  });
  for (const button of document.querySelectorAll("[data-open-palette]")) button.addEventListener("click", openPalette);
}
