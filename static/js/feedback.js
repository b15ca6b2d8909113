// Thumbs and stars without a reload, wherever a text is shown.
import { csrfToken, texts } from "./dom.js";
import { toast } from "./toasts.js";

/** What a press means next time: pressed again, a thumb is taken back. */
function showPressed(box, button, body) {
  const isStar = body.has("favourite");
  const value = body.get(isStar ? "favourite" : "rating");
  for (const toggle of box.querySelectorAll("[data-toggle]")) {
    if ((toggle.dataset.toggle === "favourite") !== isStar) continue;
    const pressed = isStar ? value === "1" : toggle.dataset.toggle === value;
    toggle.setAttribute("aria-pressed", String(pressed));
    toggle.value = pressed ? "0" : isStar ? "1" : toggle.dataset.toggle;
  }
  const menu = button?.closest("details.menu");
  if (menu) menu.open = false;
}

async function send(form, button) {
  const body = new FormData(form, button);
  try {
    const response = await fetch(form.action, {
      method: "POST",
      headers: { Accept: "application/json", "X-CSRFToken": csrfToken() },
      body,
      credentials: "same-origin",
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) showPressed(form.closest("[data-feedback]"), button, body);
    else toast(answer.message || texts.failed, { kind: "error" });
  } catch {
    toast(texts.offline, { kind: "error" });
  }
}

export function setUpFeedback() {
  document.addEventListener(
    "submit",
    (event) => {
      if (!event.target.matches("[data-feedback-form]")) return;
      event.preventDefault();
      send(event.target, event.submitter);
    },
    true,
  );
}
