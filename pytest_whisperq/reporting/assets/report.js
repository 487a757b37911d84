"use strict";
// Sorts and filters the table of utterances, and plays recordings. Everything it shows is in the page already.
(() => {
  const table = document.getElementById("utterances");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const text = document.getElementById("filter-text");
  const candidate = document.getElementById("filter-candidate");
  const changed = document.getElementById("filter-changed");
  const count = document.getElementById("filter-count");

  const filter = () => {
    const wanted = text.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const isWanted =
        (!wanted || row.textContent.toLowerCase().includes(wanted)) &&
        (!candidate || !candidate.value || row.dataset.candidate === candidate.value) &&
        (!changed.checked || row.dataset.changed === "true");
      row.hidden = !isWanted;
      shown += isWanted ? 1 : 0;
    }
    count.textContent = `${shown} of ${rows.length} shown`;
  };

  const value = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
  };

  const sort = (column, isDescending) => {
    const direction = isDescending ? -1 : 1;
    rows.sort((one, other) => {
      const a = value(one, column);
      const b = value(other, column);
      if (typeof a === "number" && typeof b === "number") return direction * (a - b);
      return direction * String(a).localeCompare(String(b));
    });
    body.append(...rows);
  };

  const headings = Array.from(table.tHead.rows[0].cells);
  headings.forEach((heading, column) => {
    const button = heading.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const isDescending = heading.getAttribute("aria-sort") !== "descending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
      sort(column, isDescending);
    });
  });
  body.addEventListener("click", (event) => {
    const link = event.target.closest("a.play");
    const player = link && document.querySelector(`${link.getAttribute("href")} audio`);
    if (!player) return;
    event.preventDefault();
    for (const other of document.querySelectorAll("audio")) other.pause();
    player.currentTime = 0;
    player.play();
  });
  for (const control of [text, candidate, changed]) {
    if (!control) continue;
    control.addEventListener("input", filter);
    control.addEventListener("change", filter);
  }
  filter();
})();
