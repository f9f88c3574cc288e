// Runs before the first paint, so that a dark page never flashes light. Kept in a file of its own
// because the content security policy allows no inline scripts; src/lib/theme.ts does the rest.
(() => {
  let choice = "system";
  try {
    choice = localStorage.getItem("hermez-theme") ?? "system";
  } catch {
    // Storage can be forbidden; then the system decides.
  }
  const dark =
    choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
