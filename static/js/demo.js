// The landing page's live demo: a short brief goes in, and the same stream that customers get comes out.
import { csrfToken, texts } from "./dom.js";
import { busy } from "./forms.js";
import { OutputPanel } from "./output.js";

const root = document.querySelector("[data-demo]");
const form = root.querySelector("form");
const panel = root.querySelector("[data-output]");
const part = (name) => panel.querySelector(`[data-part="${name}"]`);
let output = null;

function showErrors(errors) {
  for (const box of form.querySelectorAll("[data-error-for]")) {
    const messages = errors[box.dataset.errorFor] ?? [];
    box.textContent = messages.join(" ");
    box.hidden = !messages.length;
    if (messages.length) form.elements[box.dataset.errorFor].focus();
  }
}

function say(words, isError) {
  const note = part("note");
  note.hidden = !words;
  note.classList.toggle("notice-error", isError);
  part("note-text").textContent = words;
}

/** Makes the panel what it is before a text begins. */
function begin(events) {
  output?.stopFollowing();
  part("text").replaceChildren();
  part("idle").hidden = true;
  part("head").hidden = false;
  part("speed").textContent = "";
  say("", false);
  panel.dataset.state = "queued";
  panel.dataset.events = events;
  panel.setAttribute("aria-busy", "true");
  output = new OutputPanel(panel);
  output.follow();
}

async function write(button) {
  const response = await fetch(form.action, {
    method: "POST",
    headers: { Accept: "application/json", "X-CSRFToken": csrfToken() },
    body: new FormData(form),
    credentials: "same-origin",
  });
  const answer = await response.json().catch(() => ({}));
  showErrors(answer.errors ?? {});
  if (response.ok) begin(answer.events);
  else if (answer.message || !answer.errors) say(answer.message || texts.failed, true);
  button.disabled = false;
}

// Capture: what marks forms as sent must not see this one, which the browser never sends.
document.addEventListener(
  "submit",
  async (event) => {
    if (event.target !== form) return;
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    if (button.disabled) return;
    button.disabled = true;
    const done = busy(button);
    try {
      await write(button);
    } catch {
      say(texts.offline, true);
      button.disabled = false;
    } finally {
      done();
    }
  },
  true,
);
