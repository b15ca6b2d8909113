// The page of one document.
import { format, texts } from "./dom.js";
import { Margin } from "./document-margin.js";
import { People } from "./document-people.js";
import { Saver, send } from "./document-saving.js";
import { TextField } from "./document-text.js";

const words = texts.documents;
const PREVIEW_MS = 600;
const language = document.documentElement.lang || "en";
const whole = new Intl.NumberFormat(language);
const root = document.querySelector("[data-document]");
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const form = root.querySelector("[data-editor]");
const text = new TextField(form.querySelector("#document-text"));

const page = {
  root,
  text,
  title: form.querySelector("#document-title"),
  url: root.dataset.save,
  key: `document:${root.dataset.document}`,
  revision: Number(root.dataset.revision),
  line: () => text.value.slice(0, text.selection.start).split("\n").length,
  showText: () => show(form.dataset.mode === "read" ? "write" : form.dataset.mode),
  /** The state in a word, and under it what went wrong or what happened. */
  show(state, problem, wrong = true) {
    part("state").textContent = state;
    part("problem").hidden = !problem;
    part("problem").classList.toggle("notice-warning", wrong);
    part("problem-text").textContent = problem ?? "";
  },
  clash: showClash,
};
page.saver = new Saver(page);
const margin = new Margin(page);

// ---------------------------------------------------------------- reading and writing

let previewTimer = null;

async function preview() {
  try {
    const answer = await send(root.dataset.preview, { text: text.value });
    if (!answer.html && answer.status >= 400) return;
    // The server's sanitiser has been over it; parsed apart, so that nothing in it could run.
    const parsed = new DOMParser().parseFromString(answer.html, "text/html");
    part("preview").replaceChildren(...parsed.body.childNodes);
  } catch {
    // Without an answer the last preview stays.
  }
}

function show(mode) {
  form.dataset.mode = mode;
  for (const button of form.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === mode));
  }
  if (mode !== "write") preview();
}

function count() {
  const value = text.value;
  const chosen = text.selection.words.length;
  const parts = value.match(/[\p{L}\p{N}]+/gu) ?? [];
  part("count").textContent = `${format(words.words, { count: whole.format(parts.length) })} · ${format(words.characters, { count: whole.format(value.length) })}`;
  part("selection").textContent = chosen ? format(words.selected, { count: whole.format(chosen) }) : "";
}

text.area.addEventListener("input", () => {
  clearTimeout(previewTimer);
  previewTimer = setTimeout(() => {
    count();
    if (form.dataset.mode === "both") preview();
  }, PREVIEW_MS);
});
document.addEventListener("selectionchange", () => document.activeElement === text.area && count());

form.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.mark) {
    page.showText();
    text.mark(button.dataset.mark);
  } else if (button.dataset.show) show(button.dataset.show);
  else if (button.dataset.rework) {
    button.disabled = true;
    await margin.rework(button.dataset.rework).finally(() => (button.disabled = false));
  } else if (button.matches("[data-comment-open]")) openComment();
});

// Capture: ui.js marks forms as sent on the way up, and the editor's is never sent by the browser itself.
document.addEventListener(
  "submit",
  (event) => {
    if (event.target !== form) return;
    event.preventDefault();
    page.saver.flush();
  },
  true,
);
document.addEventListener("keydown", (event) => {
  if (event.key === "s" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
    event.preventDefault();
    page.saver.flush();
  }
});

// An export holds what is on the screen.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-needs-save]");
  if (!link || !page.saver.dirty) return;
  event.preventDefault();
  if (await page.saver.flush()) location.assign(link.href);
});

// ---------------------------------------------------------------- comments

let commented = null;

async function openComment() {
  commented = await margin.selection();
  if (!commented) return;
  const dialog = document.getElementById("comment-dialog");
  dialog.querySelector('[data-part="quoted"]').textContent = commented.quote.slice(0, 300);
  dialog.showModal();
}

document.querySelector("[data-comment-form]").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = event.target.querySelector("textarea");
  if (await margin.comment(commented, field.value)) {
    field.value = "";
    event.target.closest("dialog").close();
  }
});

// ---------------------------------------------------------------- two who changed the same words

function showClash(answer) {
  const dialog = document.getElementById("conflict");
  const place = dialog.querySelector('[data-part="clashes"]');
  place.replaceChildren();
  answer.parts.forEach((each, index) => {
    if (each.text === undefined) place.append(choice(each, index));
  });
  dialog.querySelector("form").onsubmit = () => {
    const chosen = (index) => place.querySelector(`input[name="clash-${index}"]:checked`).value;
    const settled = answer.parts.map((each, index) => each.text ?? each[chosen(index)]).join("");
    page.saver.settle(settled, answer);
  };
  // Closed without a choice nothing is saved, and nothing is lost: the notice stays, and opens it again.
  part("problem").onclick = () => page.saver.blocked && !dialog.open && dialog.showModal();
  if (!dialog.open) dialog.showModal();
}

function choice({ mine, theirs }, index) {
  const group = document.createElement("fieldset");
  group.className = "clash";
  for (const [value, label, shown] of [["mine", words.mine, mine], ["theirs", words.theirs, theirs]]) {
    const box = document.createElement("label");
    const radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name: `clash-${index}`, value, checked: value === "mine" });
    const name = document.createElement("strong");
    name.textContent = label;
    const quoted = document.createElement("span");
    quoted.className = "clash-text";
    quoted.textContent = shown || words.nothingHere;
    box.append(radio, name, quoted);
    group.append(box);
  }
  return group;
}

// ---------------------------------------------------------------- the others

async function look(revision) {
  if (revision <= page.saver.base || page.saver.dirty) return;
  const response = await fetch(root.dataset.margin, { headers: { Accept: "application/json" }, credentials: "same-origin" }).catch(() => null);
  if (!response?.ok || response.redirected) return;
  page.saver.adopt(await response.json());
  margin.refresh();
}

new People(page, { onChanged: look, onMargin: () => margin.refresh() });
page.saved = () => margin.region.querySelector("[data-start]") && margin.refresh();
count();
