// Red night mode, as it was left. A browser that keeps nothing begins by day.
"use strict";
try {
  document.documentElement.classList.toggle("night", localStorage.getItem("focusd-night") === "yes");
} catch {
  // Storage is forbidden here: the mode is not remembered.
}
