// Conversations: sending without a reload, streams of the answers on the page, keys, and branches.
import { csrfToken, isTyping, recall, texts } from "./dom.js";
import { setUpFeedback } from "./feedback.js";
import { OutputPanel } from "./output.js";
import { clearToasts, toast } from "./toasts.js";

const root = document.querySelector("[data-chat]");
const announcer = root.querySelector("[data-announce]");
const composer = root.querySelector("[data-composer]");
let followed = [];
let sending = false;

// ---------------------------------------------------------------- the page and its regions

async function fetchPage(url) {
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) throw new Error(String(response.status));
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

function adopt(page, ...regions) {
  for (const name of regions) {
    const fresh = page.querySelector(`[data-region="${name}"]`);
    const old = root.querySelector(`[data-region="${name}"]`);
    if (fresh && old) old.replaceWith(document.adoptNode(fresh));
  }
}

function followAnswers() {
  for (const panel of followed) panel.stopFollowing();
  followed = [...root.querySelectorAll("[data-output][aria-busy=true]")].map((panel) => new OutputPanel(panel));
  for (const panel of followed) panel.follow();
}

const isBusy = () => followed.some((panel) => panel.isBusy);

/** Shows an address of this page in place. A new conversation gets its whole page, whose form is another one. */
async function show(url, { push = true } = {}) {
  if (!location.pathname.match(/chat\/[0-9a-f-]{36}/)) return location.assign(url);
  const page = await fetchPage(url);
  adopt(page, "list", "head", "turns", "place");
  document.title = page.title;
  if (push && new URL(url, location.href).href !== location.href) history.pushState(null, "", url);
  followAnswers();
  return undefined;
}

/** The page as the server has it now, asked for again for a minute if need be; null once the reader has left it. */
async function fetchAgain(url) {
  for (let wait = 500; wait < 60_000 && location.href === url; wait *= 2) {
    const page = await fetchPage(url).catch(() => null);
    if (page) return location.href === url ? page : null;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  return null;
}

/** The turn that has ended, as the server has it now: its Markdown, its numbers and what can be done with it. */
async function refreshTurn(turn) {
  const page = await fetchAgain(location.href);
  if (!page) return;
  const fresh = page.getElementById(turn.id);
  const holdsFocus = turn.contains(document.activeElement);
  if (fresh && turn.isConnected) turn.replaceWith(document.adoptNode(fresh));
  if (holdsFocus) fresh?.focus({ preventScroll: true });
  adopt(page, "list", "place");
  document.title = page.title;
}

/** Another window may have gone on with the conversation meanwhile. */
async function refreshIfChanged() {
  const turns = root.querySelector('[data-region="turns"]');
  if (document.hidden || sending || isBusy() || !turns.dataset.tip || root.querySelector(".turn-edit[open]")) return;
  const page = await fetchPage(location.href).catch(() => null);
  const fresh = page?.querySelector('[data-region="turns"]');
  if (!fresh || fresh.dataset.tip === turns.dataset.tip) return;
  adopt(page, "list", "head", "turns", "place");
  followAnswers();
}

// ---------------------------------------------------------------- sending

async function post(action, body) {
  const response = await fetch(action, {
    method: "POST",
    headers: { Accept: "application/json", "X-CSRFToken": csrfToken() },
    body,
    credentials: "same-origin",
  });
  if (response.redirected) location.assign(response.url);
  const answer = await response.json().catch(() => ({}));
  return { ok: response.ok && !response.redirected, ...answer };
}

/** True once the server has taken it; what was typed stays until then, with the id under which it was sent. */
async function submit(form, button) {
  if (sending) return false;
  sending = true;
  if (button) button.disabled = true;
  clearToasts();
  try {
    const answer = await post(form.action, new FormData(form));
    if (!answer.ok) {
      toast(answer.message || texts.failed, { kind: "error" });
      return false;
    }
    await show(answer.url);
    return true;
  } catch {
    toast(texts.offline, { kind: "error" });
    return false;
  } finally {
    sending = false;
    if (button) button.disabled = false;
  }
}

async function send() {
  const empty = !composer.elements.text.value.trim() && !composer.elements.files.files.length;
  if (empty || isBusy()) return;
  if (!(await submit(composer, composer.querySelector("[data-send]")))) return;
  composer.elements.text.value = "";
  composer.elements.files.value = "";
  listFiles();
  composer.elements.text.focus({ preventScroll: true });
  root.querySelector("[data-turn]:last-child")?.scrollIntoView({ block: "end" });
}

async function stop() {
  const form = root.querySelector("[data-stop-form]");
  const button = form?.querySelector("[data-stop]");
  if (!button || button.disabled) return;
  button.disabled = true;
  try {
    const answer = await post(form.action, new FormData(form));
    if (!answer.ok) toast(answer.message || texts.failed, { kind: "error" });
  } catch {
    toast(texts.offline, { kind: "error" });
    button.disabled = false;
  }
}

function listFiles() {
  const list = composer.querySelector("[data-files]");
  list.replaceChildren(
    ...[...composer.elements.files.files].map((file) => {
      const row = document.createElement("li");
      row.textContent = file.name;
      return row;
    }),
  );
}

// ---------------------------------------------------------------- keys

/** j and k, or the arrows once a message has the focus, go from message to message. */
function move(step) {
  const turns = [...root.querySelectorAll("[data-turn]")];
  if (!turns.length) return;
  const at = turns.findIndex((turn) => turn.contains(document.activeElement));
  const next = at < 0 ? (step > 0 ? 0 : turns.length - 1) : Math.min(Math.max(at + step, 0), turns.length - 1);
  turns[next].focus({ preventScroll: true });
  turns[next].scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  if (event.isComposing || document.querySelector("dialog[open], details.menu[open]")) return;
  const typing = isTyping(event.target);
  if (event.key === "Escape" && isBusy()) {
    event.preventDefault();
    stop();
  } else if (event.key === "Enter" && !event.shiftKey && event.target === composer?.elements.text) {
    event.preventDefault();
    send();
  } else if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const onTurn = Boolean(event.target.closest?.("[data-turn]") === event.target);
    const letters = recall("millrace.keys") !== "off";
    const step = { j: letters && 1, k: letters && -1, ArrowDown: onTurn && 1, ArrowUp: onTurn && -1 }[event.key];
    if (step) {
      event.preventDefault();
      move(step);
    }
  }
}

function onSubmit(event) {
  const form = event.target;
  if (form === composer) {
    event.preventDefault();
    send();
  } else if (form.matches("[data-stop-form]")) {
    event.preventDefault();
    stop();
  } else if (form.matches("[data-act]")) {
    event.preventDefault();
    submit(form, event.submitter);
  }
}

function onFinished(event) {
  // One announcement at the end: a reader is not told every word, and the region outlives the message's own markup.
  announcer.textContent = event.target.querySelector('[data-part="announcement"]')?.textContent ?? "";
  refreshTurn(event.target.closest("[data-turn]"));
}

document.addEventListener("submit", onSubmit, true);
document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", refreshIfChanged);
window.addEventListener("focus", refreshIfChanged);
window.addEventListener("popstate", () => show(location.href, { push: false }).catch(() => location.reload()));
root.addEventListener("millrace:finished", onFinished);
composer?.elements.files.addEventListener("change", listFiles);
setUpFeedback();
followAnswers();
if (isBusy()) root.querySelector("[data-turn]:last-child")?.scrollIntoView({ block: "end" });
