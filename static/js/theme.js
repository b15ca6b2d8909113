// Runs before the first paint, so that a chosen theme never flashes. Classic script: modules are deferred.
(function () {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("millrace.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage may be forbidden; the system's theme is then right.
  }
})();
