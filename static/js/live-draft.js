// What the bot is writing, below what was said: each frame replaces the one before, and the stored message ends it.

/** Shows the text at the end of a list, or takes away what is shown; readers of the screen hear the stored message. */
export function showDraft(list, { text, who, className }) {
  let item = list.querySelector("[data-live-draft]");
  if (!text) {
    item?.remove();
    return;
  }
  const follow = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  if (!item) {
    item = document.createElement("li");
    item.dataset.liveDraft = "";
    item.className = className;
    item.setAttribute("aria-hidden", "true");
    const name = document.createElement("small");
    name.textContent = who;
    item.append(name, document.createElement("span"));
  }
  item.querySelector("span").textContent = `${text} …`;
  list.append(item);
  if (follow) list.scrollTop = list.scrollHeight;
}
