// The switch of the red night mode.

export function wireNight(changed) {
  const button = document.getElementById("night");
  const root = document.documentElement;
  const show = () => button.setAttribute("aria-pressed", String(root.classList.contains("night")));
  show();
  button.addEventListener("click", () => {
    const night = root.classList.toggle("night");
    show();
    try {
      localStorage.setItem("focusd-night", night ? "yes" : "no");
    } catch {
      // Storage is forbidden here: the mode holds for as long as the page is open.
    }
    changed();
  });
}
