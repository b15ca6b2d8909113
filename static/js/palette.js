// Command palette (Ctrl/⌘K), help (?), and "g" followed by a letter. Any link or button with data-command is a command.
import { isTyping, recall, store } from "./dom.js";

const SECOND_KEY_MS = 900;
const commands = [];

let list;
let input;
let dialog;
let shown = [];
let selected = 0;

function matches(command, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const label = command.label.toLowerCase();
  return words.every((word) => label.includes(word));
}

function render() {
  shown = commands.filter((command) => matches(command, input.value));
  selected = Math.min(selected, Math.max(shown.length - 1, 0));
  list.replaceChildren(...shown.map(optionFor));
  document.getElementById("palette-empty").hidden = shown.length > 0;
  input.setAttribute("aria-activedescendant", shown.length ? `command-${selected}` : "");
}

function optionFor(command, index) {
  const option = document.createElement("li");
  option.id = `command-${index}`;
  option.setAttribute("role", "option");
  option.setAttribute("aria-selected", String(index === selected));
  const label = document.createElement("span");
  label.textContent = command.label;
  option.append(label);
  if (command.keys) option.append(keysFor(command.keys));
  option.addEventListener("click", () => run(command));
  return option;
}

function keysFor(keys) {
  const box = document.createElement("span");
  for (const key of keys.split(" ")) {
    const cap = document.createElement("kbd");
    cap.textContent = key;
    box.append(cap, " ");
  }
  return box;
}

function run(command) {
  dialog.close();
  command.element.click();
}

function move(step) {
  if (!shown.length) return;
  selected = (selected + step + shown.length) % shown.length;
  render();
  list.children[selected].scrollIntoView({ block: "nearest" });
}

function openPalette() {
  if (dialog.open) return;
  input.value = "";
  selected = 0;
  render();
  dialog.showModal();
}

function onPaletteKey(event) {
  const acts = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: () => shown[selected] && run(shown[selected]) };
  const act = acts[event.key];
  if (!act || event.isComposing) return;
  event.preventDefault();
  act();
}

/** Single keys can be switched off, as WCAG 2.1.4 asks. */
function singleKeysOn() {
  return recall("millrace.keys") !== "off";
}

function setUpSingleKeys() {
  let first = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !singleKeysOn()) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "?") {
      event.preventDefault();
      document.getElementById("help").showModal();
    } else if (event.key === "g") {
      first = event.timeStamp;
    } else if (event.timeStamp - first < SECOND_KEY_MS) {
      const command = commands.find((candidate) => candidate.keys === `g ${event.key}`);
      if (command) run(command);
    }
  });
  const choice = document.getElementById("single-keys");
  if (!choice) return;
  choice.checked = singleKeysOn();
  choice.addEventListener("change", () => store("millrace.keys", choice.checked ? null : "off"));
}

/** An element's text without that of its children: "Studio", not "Studio g s". */
function ownWords(element) {
  const words = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
  return words.map((node) => node.textContent.trim()).join(" ").trim();
}

function collectCommands() {
  for (const element of document.querySelectorAll("[data-command]")) {
    const label = element.dataset.command || ownWords(element);
    // A wide and a narrow menu may both hold the same link.
    if (!commands.some((command) => command.label === label)) commands.push({ label, keys: element.dataset.keys, element });
  }
}

export function setUpPalette() {
  dialog = document.getElementById("palette");
  if (!dialog) return;
  collectCommands();
  input = document.getElementById("palette-input");
  list = document.getElementById("palette-list");
  input.addEventListener("input", () => {
    selected = 0;
    render();
  });
  input.addEventListener("keydown", onPaletteKey);
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette();
    }
  });
  for (const button of document.querySelectorAll("[data-open-palette]")) button.addEventListener("click", openPalette);
  setUpSingleKeys();
}
