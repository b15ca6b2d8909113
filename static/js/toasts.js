// Short messages in a live region; an error stays until it is dismissed, and what can be undone stays longer.
import { csrfToken, icon, texts } from "./dom.js";

const LIFETIME_MS = 6000;
const UNDO_MS = 15_000;

/** Takes away what was said about an earlier attempt. */
export function clearToasts() {
  document.getElementById("toasts").replaceChildren();
}

/** `undo`: a function, or {action, fields}: what is posted to take the act back. */
export function toast(message, { kind = "info", undo = null } = {}) {
  const region = document.getElementById("toasts");
  const box = document.createElement("div");
  box.className = kind === "error" ? "toast toast-error" : "toast";
  const words = document.createElement("p");
  words.textContent = message;
  box.append(words);
  if (undo) box.append(undoButton(box, undo));
  box.append(closeButton(box));
  region.append(box);
  if (kind !== "error") leaveAfter(box, undo ? UNDO_MS : LIFETIME_MS);
  return box;
}

function button(className, label) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = `btn ${className}`;
  if (label) made.textContent = label;
  return made;
}

function undoButton(box, undo) {
  const take = button("btn-sm", texts.undo);
  take.prepend(icon("undo"));
  take.addEventListener("click", async () => {
    take.disabled = true;
    if (typeof undo === "function") await undo();
    else post(undo);
    box.remove();
  });
  return take;
}

/** Posts like a form does, so that the page which takes the act back answers with its own words. */
function post({ action, fields = {} }) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = action;
  for (const [name, value] of Object.entries({ csrfmiddlewaretoken: csrfToken(), ...fields })) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name, value });
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}

function closeButton(box) {
  const close = button("btn-quiet btn-icon btn-sm");
  close.setAttribute("aria-label", texts.dismiss);
  close.append(icon("x"));
  close.addEventListener("click", () => box.remove());
  return close;
}

/** Goes by itself, but never while it is being read or used. */
function leaveAfter(box, milliseconds) {
  const leave = () => {
    if (box.matches(":hover, :focus-within")) timer = setTimeout(leave, 2000);
    else box.remove();
  };
  let timer = setTimeout(leave, milliseconds);
}

/** What the server says of the act before stands in the page already; here it only learns to go. */
export function setUpFlashes() {
  for (const box of document.querySelectorAll(".flashes > .toast")) {
    box.append(closeButton(box));
    leaveAfter(box, box.querySelector("form") ? UNDO_MS : LIFETIME_MS * 2);
  }
}
