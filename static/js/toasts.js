// Short messages in a live region; an error stays until it is dismissed.
import { icon, texts } from "./dom.js";

const LIFETIME_MS = 6000;

/** Takes away what was said about an earlier attempt. */
export function clearToasts() {
  document.getElementById("toasts").replaceChildren();
}

export function toast(message, { kind = "info" } = {}) {
  const region = document.getElementById("toasts");
  const box = document.createElement("div");
  box.className = kind === "error" ? "toast toast-error" : "toast";
  const words = document.createElement("p");
  words.textContent = message;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn btn-quiet btn-icon btn-sm";
  close.setAttribute("aria-label", texts.dismiss);
  close.append(icon("x"));
  close.addEventListener("click", () => box.remove());
  box.append(words, close);
  region.append(box);
  if (kind !== "error") setTimeout(() => box.remove(), LIFETIME_MS);
}
