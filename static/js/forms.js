// What any form may need: sending once, saying that it is on its way, and not losing what was typed.

// A quick answer needs no sign of waiting; it would only flicker.
const BUSY_AFTER_MS = 180;

/** A select whose change is the whole act (language, a filter): no button needed once scripts run. */
function setUpAutoSubmit() {
  for (const select of document.querySelectorAll("select[data-autosubmit]")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
}

/** A button that shows that its act is under way; the returned function ends it. */
export function busy(button) {
  const timer = setTimeout(() => {
    button.classList.add("is-busy");
    button.setAttribute("aria-busy", "true");
  }, BUSY_AFTER_MS);
  return () => {
    clearTimeout(timer);
    button.classList.remove("is-busy");
    button.removeAttribute("aria-busy");
  };
}

/** A form that is on its way may not be sent a second time. */
function setUpSubmitOnce() {
  const ends = new Set();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    // A file that is downloaded leaves the page where it is.
    const button = event.submitter;
    if (button?.classList.contains("btn") && !form.hasAttribute("data-download")) ends.add(busy(button));
  });
  // Back from the browser's cache the form must work again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
    for (const end of ends) end();
    ends.clear();
  });
}

/** Long texts, and forms marked data-guard, are not left by accident; data-guard="off" says that a page saves itself. */
function setUpGuard() {
  const changed = new Set();
  const guarded = (form) =>
    form?.method === "post" &&
    form.dataset.guard !== "off" &&
    (form.hasAttribute("data-guard") || form.querySelector("main textarea")) &&
    !form.closest("dialog");
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (event.isTrusted && guarded(form)) changed.add(form);
  });
  document.addEventListener("submit", (event) => changed.delete(event.target), true);
  document.addEventListener("reset", (event) => changed.delete(event.target));
  window.addEventListener("beforeunload", (event) => {
    if ([...changed].some((form) => form.isConnected)) event.preventDefault();
  });
}

export function setUpForms() {
  setUpAutoSubmit();
  setUpSubmitOnce();
  setUpGuard();
}
