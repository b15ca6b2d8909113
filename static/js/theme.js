// Runs before the first paint, so that neither a chosen theme nor a narrow sidebar flashes. Classic script: modules are deferred.
(function () {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("millrace.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (localStorage.getItem("millrace.sidebar") === "narrow") root.dataset.sidebar = "narrow";
  } catch {
    // Storage may be forbidden; the system's theme is then right.
  }
})();
