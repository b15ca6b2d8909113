// Forms with rows of the same fields: adding one from the page's own <template>, greying out what is taken out, and
// moving one before another where their order counts.

for (const section of document.querySelectorAll("[data-rows]")) setUp(section);

function setUp(section) {
  const list = section.querySelector("[data-row-list]");
  const total = section.querySelector(`[name="${section.dataset.rows}-TOTAL_FORMS"]`);
  const most = Number(section.querySelector(`[name="${section.dataset.rows}-MAX_NUM_FORMS"]`).value);
  const add = section.querySelector("[data-add-row]");

  add.addEventListener("click", () => {
    const number = Number(total.value);
    const fresh = section.querySelector("[data-row-template]").content.cloneNode(true);
    for (const element of fresh.querySelectorAll("*")) {
      for (const { name, value } of [...element.attributes]) {
        if (value.includes("__prefix__")) element.setAttribute(name, value.replaceAll("__prefix__", number));
      }
    }
    list.append(fresh);
    total.value = number + 1;
    add.disabled = number + 1 >= most;
    list.lastElementChild.dispatchEvent(new CustomEvent("row-added", { bubbles: true }));
    list.lastElementChild.querySelector("input, select, textarea").focus();
  });

  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (!button) return;
    const row = button.closest("[data-row]");
    const other = button.dataset.move === "up" ? row.previousElementSibling : row.nextElementSibling;
    if (!other) return;
    if (button.dataset.move === "up") other.before(row);
    else other.after(row);
    [...list.children].forEach((each, index) => {
      each.querySelector("[name$=-ORDER]").value = index + 1;
    });
    button.focus();
  });

  list.addEventListener("change", (event) => {
    if (!event.target.name?.endsWith("-DELETE")) return;
    event.target.closest("[data-row]").toggleAttribute("data-removed", event.target.checked);
  });
}
