// A run: the streams of its variants side by side; when the last has ended, what can be done with them.
import { OutputPanel } from "./output.js";
import { setUpFeedback } from "./feedback.js";

const root = document.querySelector("[data-run]");
const panels = [...root.querySelectorAll("[data-output][aria-busy=true]")].map((panel) => new OutputPanel(panel));

async function refresh() {
  const response = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
  if (!response?.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const name of ["vote", "variants"]) {
    const fresh = page.querySelector(`[data-region="${name}"]`);
    const old = root.querySelector(`[data-region="${name}"]`);
    if (fresh && old) old.replaceWith(document.adoptNode(fresh));
  }
  document.querySelector(".page-head [data-stop]")?.closest("form").remove();
  document.title = page.title;
}

function onFinished(event) {
  const letter = event.target.querySelector(".variant-letter")?.textContent ?? "";
  const words = event.target.querySelector('[data-part="announcement"]')?.textContent ?? "";
  root.querySelector("[data-announce]").textContent = `${letter}: ${words}`;
  if (!panels.some((panel) => panel.isBusy)) refresh();
}

root.addEventListener("millrace:finished", onFinished);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open], details.menu[open]")) return;
  document.querySelector(".page-head [data-stop]")?.form.requestSubmit();
});
for (const panel of panels) panel.follow();
setUpFeedback();
