// The pages of bulk runs: columns are put into the prompt, and a run that goes on shows how far it is.
import { format } from "./dom.js";

const LOOK_MS = 2000;
const numbers = new Intl.NumberFormat("en");

/** Puts `{{ column }}` where the person writes. */
function setUpPlaces() {
  const prompt = document.getElementById("id_prompt");
  for (const button of document.querySelectorAll("[data-place]")) {
    button.addEventListener("click", () => {
      prompt.setRangeText(`{{ ${button.dataset.place} }}`, prompt.selectionStart, prompt.selectionEnd, "end");
      prompt.focus();
    });
  }
}

function show(panel, progress) {
  const part = (name) => panel.querySelector(`[data-part="${name}"]`);
  part("percent").value = progress.percent;
  for (const name of ["succeeded", "running", "waiting", "failed"]) part(name).textContent = numbers.format(progress[name]);
  part("tokens").textContent = numbers.format(progress.prompt_tokens + progress.completion_tokens);
  const eta = part("eta");
  if (progress.eta_seconds === null) eta.textContent = "";
  else if (progress.eta_seconds < 60) eta.textContent = eta.dataset.soon;
  else eta.textContent = format(eta.dataset.words, { minutes: Math.round(progress.eta_seconds / 60) });
}

/** Looks again and again while the page is visible; another state is another page. */
async function follow(panel) {
  for (;;) {
    await new Promise((done) => setTimeout(done, LOOK_MS));
    if (document.hidden) continue;
    try {
      const answer = await fetch(panel.dataset.progress, { headers: { accept: "application/json" } });
      if (!answer.ok) return;
      const progress = await answer.json();
      if (progress.state !== panel.dataset.state) return void location.reload();
      show(panel, progress);
    } catch {
      // The server is away for a moment; the run goes on without it.
    }
  }
}

/** A download leaves the page where it is, so its button works again. */
function setUpDownloads() {
  for (const form of document.querySelectorAll("form[data-again]")) {
    form.addEventListener("submit", () => setTimeout(() => delete form.dataset.sent, 1000));
  }
}

setUpPlaces();
setUpDownloads();
const panel = document.querySelector("[data-progress]");
if (panel) follow(panel);
