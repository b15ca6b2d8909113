// Menus, dialogs, copy buttons, the theme and language choice: behaviour that any page may carry.
import { icon, recall, store, texts } from "./dom.js";
import { setUpForms } from "./forms.js";
import { setUpFlashes, toast } from "./toasts.js";

const COPIED_MS = 1600;

function setUpMenus() {
  const menus = document.querySelectorAll("details.menu");
  document.addEventListener("click", (event) => {
    for (const menu of menus) if (menu.open && !menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus) {
      if (!menu.open) continue;
      menu.open = false;
      menu.querySelector("summary").focus();
      event.stopImmediatePropagation();
    }
  });
}

/** Where the list of a console's pages is longer than the screen, the present one is in sight. */
function showWhereOneIs() {
  const here = document.querySelector(".console-tabs .tabs [aria-current=page]");
  const list = here?.closest(".tabs");
  if (list) list.scrollTop = here.offsetTop - list.clientHeight / 2;
}

function setUpDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open-dialog]");
    if (opener) {
      event.preventDefault();
      openDialog(opener.dataset.openDialog, opener);
    }
    const closer = event.target.closest("[data-close-dialog]");
    if (closer) {
      event.preventDefault();
      closer.closest("dialog").close();
    }
    if (event.target.matches("dialog")) event.target.close();
  });
}

/** Opens a dialog; `data-fill-*` of the opener fills matching `[data-slot]`, `[data-action]` and patterns. */
export function openDialog(id, opener) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  for (const slot of dialog.querySelectorAll("[data-slot]")) {
    slot.textContent = opener?.dataset[slot.dataset.slot] ?? "";
  }
  const form = dialog.querySelector("form[data-action-from]");
  if (form && opener) form.action = opener.dataset[form.dataset.actionFrom];
  const typed = dialog.querySelector("input[data-must-equal]");
  if (typed && opener) guardTypedName(typed, opener.dataset[typed.dataset.mustEqual]);
  dialog.showModal();
}

function guardTypedName(input, expected) {
  const submit = input.form.querySelector("[type=submit]");
  const check = () => {
    submit.disabled = input.value.trim() !== expected.trim();
  };
  input.value = "";
  input.oninput = check;
  check();
}

async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  // Plain http on a company network has no clipboard API; a selected field still copies.
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (!copied) throw new Error("copy refused");
}

function setUpCopyButtons() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    try {
      await copyText(source.value ?? source.textContent);
      toast(texts.copied);
      showTick(button);
    } catch {
      toast(texts.copyFailed, { kind: "error" });
    }
  });
}

function showTick(button) {
  const old = button.querySelector(".icon");
  if (!old || button.dataset.ticked) return;
  const tick = icon("check");
  button.dataset.ticked = "1";
  old.replaceWith(tick);
  setTimeout(() => {
    tick.replaceWith(old);
    delete button.dataset.ticked;
  }, COPIED_MS);
}

function setUpTheme() {
  const choices = document.querySelectorAll("[data-set-theme]");
  const show = () => {
    const current = recall("millrace.theme") ?? "system";
    for (const choice of choices) choice.setAttribute("aria-pressed", String(choice.dataset.setTheme === current));
  };
  for (const choice of choices) {
    choice.addEventListener("click", () => {
      const theme = choice.dataset.setTheme;
      store("millrace.theme", theme === "system" ? null : theme);
      if (theme === "system") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = theme;
      show();
    });
  }
  show();
}

/** The sidebar as icons alone: `[` or its button; theme.js makes it so before the first paint. */
function setUpSidebar() {
  const root = document.documentElement;
  const button = document.querySelector("[data-fold]");
  if (!button) return;
  const links = document.querySelectorAll(".sidebar .nav-link");
  const show = () => {
    const narrow = root.dataset.sidebar === "narrow";
    button.setAttribute("aria-pressed", String(narrow));
    // Without its words an icon says what it is where the pointer rests.
    for (const link of links) link.title = narrow ? link.querySelector(".label-text").textContent : "";
  };
  button.addEventListener("click", () => {
    const narrow = root.dataset.sidebar !== "narrow";
    if (narrow) root.dataset.sidebar = "narrow";
    else delete root.dataset.sidebar;
    store("millrace.sidebar", narrow ? "narrow" : null);
    show();
  });
  show();
}

/** Keys as they are written on the reader's own keyboard. */
function nameKeys() {
  if (!/Mac|iPhone|iPad/.test(navigator.platform)) return;
  for (const key of document.querySelectorAll("kbd")) key.textContent = key.textContent.replace(/^Ctrl\b/, "⌘");
}

export function setUpInterface() {
  showWhereOneIs();
  setUpMenus();
  setUpDialogs();
  setUpCopyButtons();
  setUpTheme();
  setUpSidebar();
  setUpForms();
  setUpFlashes();
  nameKeys();
}
