// The studio page: the form's live estimate, sending without a reload, Stop, Regenerate, keys.
import { csrfToken, format, isTyping, readJson, texts } from "./dom.js";
import { setUpFeedback } from "./feedback.js";
import { OutputPanel } from "./output.js";
import { clearToasts, toast } from "./toasts.js";

const FETCH_TRIES = 25;
const FETCH_WAIT_MS = 1500;
const language = document.documentElement.lang || "en";
const root = document.querySelector("[data-studio]");
const form = root.querySelector("[data-studio-form]");
let output = followOutput();
let sending = false;

function followOutput() {
  const panel = root.querySelector("[data-output]");
  const next = new OutputPanel(panel);
  next.follow();
  return next;
}

/** Posts a form and expects JSON: {url} on success, {errors, message} otherwise. */
async function post(action, body) {
  const response = await fetch(action, {
    method: "POST",
    headers: { Accept: "application/json", "X-CSRFToken": csrfToken() },
    body,
    credentials: "same-origin",
  });
  // Signed out meanwhile: the server has sent the request to the sign-in page.
  if (response.redirected) location.assign(response.url);
  const answer = await response.json().catch(() => ({}));
  return { ok: response.ok && !response.redirected, ...answer };
}

/** The same, again while pages that fill in the form are still being fetched. */
async function postUntilReady(action, body) {
  for (let tries = 0; ; tries += 1) {
    const answer = await post(action, body);
    if (!answer.retry || tries === FETCH_TRIES) return answer;
    if (!tries) toast(answer.message);
    await new Promise((resolve) => setTimeout(resolve, FETCH_WAIT_MS));
  }
}

/** Puts messages beside their fields and goes to the first; false when no field was concerned. */
function showErrors(errors) {
  for (const box of form.querySelectorAll("[data-error-for]")) {
    const messages = errors[box.dataset.errorFor] ?? [];
    box.textContent = messages.join(" ");
    box.hidden = !messages.length;
    const field = form.elements[box.dataset.errorFor];
    if (!(field instanceof Element)) continue;
    if (messages.length) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
  const wrong = form.querySelector("[aria-invalid=true]");
  wrong?.closest("details")?.setAttribute("open", "");
  wrong?.focus();
  return Boolean(wrong);
}

/** Sends, then shows the answer's page in place: same address, same markup, no white flash. */
async function submit(action, body, button) {
  if (sending) return;
  sending = true;
  if (button) button.disabled = true;
  clearToasts();
  try {
    const answer = await postUntilReady(action, body);
    const placed = showErrors(answer.errors ?? {});
    if (answer.ok) await show(answer.url);
    else if (!placed) toast(answer.message || texts.failed, { kind: "error" });
  } catch {
    toast(texts.offline, { kind: "error" });
  } finally {
    sending = false;
    if (button) button.disabled = false;
  }
}

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

async function show(url, { push = true } = {}) {
  const page = await fetchPage(url);
  output.stopFollowing();
  adopt(page, "out", "recent");
  root.dataset.showing = page.querySelector("[data-studio]").dataset.showing;
  if (push) history.pushState({ studio: true }, "", url);
  document.title = page.title;
  output = followOutput();
  if (push && matchMedia("(max-width: 60rem)").matches) root.querySelector("[data-output]").scrollIntoView();
}

/** The charge and the list beside it, as the server has them now. */
async function refreshNumbers() {
  const url = location.href;
  const page = await fetchPage(url).catch(() => null);
  if (page && location.href === url && !output.isBusy) adopt(page, "numbers", "opinion", "recent", "findings", "safety");
}

async function stop() {
  const button = root.querySelector("[data-stop]");
  if (!button || button.disabled || !output.isBusy) return;
  button.disabled = true;
  try {
    const answer = await post(button.form.action, new FormData(button.form));
    if (!answer.ok) toast(answer.message || texts.failed, { kind: "error" });
  } catch {
    toast(texts.offline, { kind: "error" });
    button.disabled = false;
  }
}

function setUpEstimate() {
  const field = form.querySelector("[data-estimate]");
  const model = form.elements.model;
  const prices = readJson("model-prices");
  const show = () => {
    const chosen = prices[model.value];
    const most = Number(form.elements.max_tokens.value);
    field.textContent = chosen && most > 0 ? estimateOf(chosen, most) : "–";
  };
  form.addEventListener("input", show);
  show();
}

/** An upper bound: every byte of the prompt could be a token, and the answer may use all it is allowed. */
function estimateOf(prices, mostOutput) {
  const own = Number(form.dataset.promptBytes ?? 0);
  const promptTokens = new TextEncoder().encode(promptText()).length + own + prices.overhead;
  const cost = (promptTokens * prices.input + Math.min(mostOutput, prices.max_output) * prices.output) / 1000;
  const money = new Intl.NumberFormat(language, {
    style: "currency",
    currency: prices.currency,
    minimumFractionDigits: 2,
    maximumFractionDigits: cost < 0.01 ? 6 : 4,
  });
  return cost ? format(texts.atMost, { amount: money.format(cost) }) : texts.free;
}

function promptText() {
  // A template's form: every variable may stand in the prompt, and the template's own words do.
  if (form.dataset.promptBytes) {
    const values = [...new FormData(form)].filter(([name, value]) => name.startsWith("v_") && typeof value === "string");
    return values.map(([, value]) => value).join("\n");
  }
  const names = form.elements.kind.value === "prompt" ? ["prompt"] : ["product", "audience", "key_points", "tone"];
  return names.map((name) => form.elements[name].value).join("\n");
}

function setUpExamples() {
  root.addEventListener("click", (event) => {
    const link = event.target.closest("[data-example]");
    if (!link) return;
    event.preventDefault();
    const example = readJson("examples")[link.dataset.example];
    for (const [name, value] of Object.entries(example)) {
      if (name in form.elements) form.elements[name].value = value;
    }
    form.elements.kind.value = "brief";
    form.dispatchEvent(new Event("input"));
    form.elements.product.focus();
  });
}

function onSubmit(event) {
  const target = event.target;
  const isBrief = target === form;
  if (!isBrief && !target.matches("[data-regenerate], [data-cancel]")) return;
  event.preventDefault();
  if (target.matches("[data-cancel]")) stop();
  else submit(target.action, new FormData(target), event.submitter);
}

function onKey(event) {
  if (event.isComposing || document.querySelector("dialog[open], details.menu[open]")) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit(form.querySelector("[type=submit]"));
  } else if (event.key === "Escape" && output.isBusy) {
    if (isTyping(event.target)) event.target.blur();
    event.preventDefault();
    stop();
  }
}

// Capture: ui.js marks forms as sent on the way up, and these are never sent by the browser itself.
document.addEventListener("submit", onSubmit, true);
document.addEventListener("keydown", onKey);
root.addEventListener("millrace:finished", refreshNumbers);
window.addEventListener("popstate", () => show(location.href, { push: false }).catch(() => location.reload()));
setUpEstimate();
setUpExamples();
setUpFeedback();
