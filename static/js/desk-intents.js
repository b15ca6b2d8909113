// Where the bot has read a turn wrongly, an agent says what was meant, and stays in the conversation.
import { toast } from "./toasts.js";

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-mark-intent]")) return;
  event.preventDefault();
  const turn = form.closest("[data-turn]");
  const problem = turn.querySelector("[data-problem]");
  const button = form.querySelector("button");
  if (button.disabled) return;
  button.disabled = true;
  problem.hidden = true;
  try {
    const headers = { accept: "application/json" };
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.message ?? said.error?.message ?? String(answer.status));
    const meant = turn.querySelector("[data-meant]");
    meant.hidden = false;
    meant.querySelector("strong").textContent = said.intent;
    form.reset();
    form.closest("details").open = false;
    form.closest("details").querySelector("summary").focus();
    toast(said.message);
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  } finally {
    button.disabled = false;
  }
});
