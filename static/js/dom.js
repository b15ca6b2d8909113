// Small helpers that every module shares.

/** The words of the page's language, from the JSON blocks that the page carries. */
export const texts = { ...readJson("texts"), ...readJson("studio-texts") };

export function readJson(id) {
  const block = document.getElementById(id);
  return block ? JSON.parse(block.textContent) : {};
}

/** Fills "{name}" places: format("Place {n}", {n: 2}). */
export function format(text, values = {}) {
  return (text || "").replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

export function store(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // A browser that forbids storage forgets the choice with the page.
  }
}

export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** True while the person is typing: single-key shortcuts must then keep quiet. */
export function isTyping(target) {
  return Boolean(target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]"));
}

export function icon(name) {
  const sprite = document.body.dataset.icons;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

export function csrfToken() {
  return document.body.dataset.csrf;
}
