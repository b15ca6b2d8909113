// Editors of the desk's settings: what a row asks for fits what was chosen in it, and a day's hours are copied to others.
import { readJson } from "./dom.js";

const facts = readJson("editor-facts") ?? { fields: {}, actions: {} };

// ---------------------------------------------------------------- conditions and actions

function part(row, name) {
  return row.querySelector(`[data-part="${name}"]`);
}

function control(row, name) {
  return part(row, name).querySelector("input, select, textarea");
}

/** All that a select can offer, kept aside, since what does not fit is taken out of it. */
function allOf(select) {
  select.allOptions ??= [...select.children];
  return select.allOptions;
}

function offer(select, fits) {
  const chosen = select.value;
  select.replaceChildren(...allOf(select).filter(fits));
  select.value = [...select.options].some((each) => each.value === chosen) ? chosen : "";
}

const isBlank = (element) => element.tagName === "OPTION" && element.value === "";

/** Shows where the value comes from: a choice of one kind, words of one's own, or nothing. */
function showSource(row, source) {
  const written = source === "text" || source === "number";
  const choice = control(row, "choice");
  part(row, "text").hidden = !written;
  part(row, "choice").hidden = written || !source || source === "nothing";
  if (!part(row, "choice").hidden) {
    const ofSource = (element) => element.querySelector?.(`option[value^="${source}:"]`);
    offer(choice, (element) => isBlank(element) || ofSource(element));
  } else {
    offer(choice, () => true);
    choice.value = "";
  }
  const text = control(row, "text");
  text.inputMode = source === "number" ? "numeric" : "";
  const label = part(row, "text").querySelector("label");
  label.textContent = part(row, "choice").querySelector("label").textContent;
}

function fitCondition(row) {
  const field = control(row, "field").value;
  part(row, "attribute").hidden = field !== "attribute";
  const operators = facts.fields[field];
  const operator = control(row, "operator");
  offer(operator, (each) => isBlank(each) || !operators || each.value in operators);
  // Where only one fits there is nothing to be chosen.
  if (operators && !operator.value && Object.keys(operators).length === 1) operator.value = Object.keys(operators)[0];
  showSource(row, operators?.[operator.value] ?? (field && !operator.value ? "" : field ? "text" : ""));
}

function fitAction(row) {
  showSource(row, facts.actions[control(row, "action").value] ?? "");
}

function fit(row) {
  if ("condition" in row.dataset) fitCondition(row);
  if ("actionRow" in row.dataset) fitAction(row);
}

for (const row of document.querySelectorAll("[data-row]")) fit(row);
document.addEventListener("row-added", (event) => fit(event.target));
document.addEventListener("change", (event) => {
  const row = event.target.closest?.("[data-row]");
  if (row && event.target.matches("[data-part] select")) fit(row);
});

// ---------------------------------------------------------------- business hours

function timesOf(row) {
  return [...row.querySelectorAll("input[type=time]")];
}

function spansOf(section) {
  return [...section.querySelectorAll("[data-row]")]
    .filter((row) => !row.querySelector("[name$=-DELETE]")?.checked)
    .map((row) => timesOf(row).map((input) => input.value))
    .filter(([start, end]) => start || end);
}

/** Fills a day's rows from the first on, adds what is missing and empties what is too many. */
function fillDay(section, spans) {
  const rows = () => [...section.querySelectorAll("[data-row]")];
  while (rows().length < spans.length) section.querySelector("[data-add-row]").click();
  rows().forEach((row, index) => {
    const [start, end] = timesOf(row);
    [start.value, end.value] = spans[index] ?? ["", ""];
    const removed = row.querySelector("[name$=-DELETE]");
    if (removed?.checked) removed.click();
  });
}

for (const button of document.querySelectorAll("[data-copy-day]")) {
  button.addEventListener("click", () => {
    const from = button.closest("[data-day]");
    const spans = spansOf(from);
    for (const day of button.dataset.copyDay.split(" ")) {
      if (day !== from.dataset.day) fillDay(document.querySelector(`[data-day="${day}"]`), spans);
    }
    const said = document.querySelector("[data-copied]");
    said.textContent = said.dataset.copied;
    button.focus();
  });
}

// ---------------------------------------------------------------- ready texts

for (const button of document.querySelectorAll("[data-place]")) {
  button.addEventListener("click", () => {
    const text = document.getElementById("id_content");
    text.setRangeText(`{{${button.dataset.place}}}`, text.selectionStart, text.selectionEnd, "end");
    text.focus();
  });
}
