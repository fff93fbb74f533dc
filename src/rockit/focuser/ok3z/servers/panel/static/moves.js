// The list of moves and homing runs with their results.

const element = (tag, text, className = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
};

export const shown = ({ at, what, words, result, reason }) => {
  const item = document.createElement("li");
  item.dataset.result = result;
  // "2026-11-22 20:03:12 UTC": the day is in the title, and the zone in the heading.
  const time = element("time", at.slice(11, 19));
  time.title = at;
  item.append(time, element("span", what, "what"), element("span", words, "result"));
  if (reason) item.append(element("p", reason, "note"));
  return item;
};

// Of the history: who asked, and what for.
export function withAsker(item, { by, why }) {
  const asked = [why, by && `by ${by}`].filter(Boolean).join(", ");
  if (asked) item.append(element("p", asked, "note asked"));
  return item;
}

export function showMoves(moves) {
  document.getElementById("no-moves").hidden = moves.length > 0;
  document.getElementById("moves").replaceChildren(...moves.map(shown));
}
