// Choosing several conversations of the list: all that are shown, one after another, or a stretch with Shift.
import { format } from "./dom.js";

const form = document.querySelector("[data-bulk]");
const chosen = new Set();
let lastBox = null;

const boxes = () => [...document.querySelectorAll("[data-choose]")];

function tell() {
  const count = boxes().filter((box) => box.checked).length;
  const words = form.querySelector("[data-count]");
  words.textContent = count ? format(words.dataset.words, { n: count }) : words.dataset.none;
  for (const button of form.querySelectorAll("button[name=act]")) button.disabled = count === 0;
  const all = form.querySelector("[data-choose-all]");
  all.checked = count > 0 && count === boxes().length;
  all.indeterminate = count > 0 && !all.checked;
}

function note(box) {
  if (box.checked) chosen.add(box.value);
  else chosen.delete(box.value);
}

/** The list was read anew: what was chosen and is still there stays chosen. */
export function keepChosen() {
  if (!form) return;
  for (const box of boxes()) box.checked = chosen.has(box.value);
  const here = new Set(boxes().map((box) => box.value));
  for (const id of chosen) if (!here.has(id)) chosen.delete(id);
  if (lastBox && !lastBox.isConnected) lastBox = boxes().find((box) => box.value === lastBox.value) ?? null;
  tell();
}

if (form) {
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.("[data-choose]");
    if (!box) return;
    const all = boxes();
    const from = event.shiftKey && lastBox ? all.indexOf(lastBox) : -1;
    if (from >= 0) {
      const to = all.indexOf(box);
      for (const each of all.slice(Math.min(from, to), Math.max(from, to) + 1)) each.checked = box.checked;
    }
    lastBox = box;
    all.forEach(note);
    tell();
  });
  form.querySelector("[data-choose-all]").addEventListener("change", (event) => {
    for (const box of boxes()) {
      box.checked = event.target.checked;
      note(box);
    }
    tell();
  });
  // A browser may restore what was checked before the page was left.
  window.addEventListener("pageshow", () => {
    boxes().forEach(note);
    tell();
  });
  document.addEventListener("keydown", (event) => {
    const link = document.activeElement?.closest?.(".desk-rows a");
    if (event.key !== "x" || event.ctrlKey || event.metaKey || event.altKey || !link) return;
    event.preventDefault();
    link.closest("li").querySelector("[data-choose]").click();
  });
}
