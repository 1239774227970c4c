// A plan beside the list of seats: the boxes of the list stay the truth, the plan shows and ticks them.
// Keys as the ARIA practices say for grids. Whoever knows of news dispatches "seats:news" on document.
import { say } from "./say.js";

const STATES = ["free", "taken", "mine", "chosen"];
const stateOf = (box) => (box.checked ? "chosen" : box.dataset.state);
const cellOf = (box) => document.querySelector(`[data-plan] [data-cell="${CSS.escape(box.dataset.seat)}"]`);
const boxOf = (cell) => document.querySelector(`[data-list] [data-seat="${CSS.escape(cell.dataset.cell)}"]`);

function element(name, attributes, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

// What a seat says: "Row 5, seat 12, Stalls, 1 800 ₽, free".
function words(part, box) {
  const { dataset } = box;
  const row = box.closest("[data-line]").dataset.label;
  const all = [
    row && `${part.dataset.row} ${row}`, `${part.dataset.seatWord} ${dataset.number}`, dataset.tierName, dataset.cost,
    "accessible" in dataset && part.dataset.wheelchair, part.dataset[stateOf(box)],
  ];
  return all.filter(Boolean).join(", ");
}

function paint(part, box) {
  const cell = cellOf(box);
  const state = stateOf(box);
  const item = box.closest(".seat-item");
  for (const name of STATES) {
    cell?.classList.toggle(`is-${name}`, name === state);
    item.classList.toggle(`is-${name}`, name === state);
  }
  box.disabled = state === "taken" || state === "mine";
  item.querySelector("[data-state-word]").textContent = box.disabled ? `, ${part.dataset[state]}` : "";
  if (!cell) return;
  cell.setAttribute("aria-selected", String(state === "chosen"));
  cell.toggleAttribute("aria-disabled", false);
  if (box.disabled) cell.setAttribute("aria-disabled", "true");
  cell.setAttribute("aria-label", words(part, box));
  cell.title = words(part, box);
}

function summary(part) {
  const place = document.querySelector("[data-chosen-words]");
  if (!place) return;
  const names = [...part.querySelectorAll("[data-seat]:checked")].map((box) => box.dataset.seat);
  place.textContent = names.join(", ") || part.dataset.nothing;
}

function drawn(part) {
  const plan = element("div", { class: "seat-hall" }, element("p", { class: "seat-stage" }, part.dataset.stage));
  for (const section of part.querySelectorAll("[data-list] > fieldset")) {
    const name = section.dataset.sectionName;
    const grid = element("div", { role: "grid", class: "seat-grid", "aria-label": name || part.dataset.section, "aria-multiselectable": "true", "aria-description": part.dataset.keys });
    const columns = [...section.querySelectorAll("[data-seat]")].map((box) => Number(box.dataset.column));
    const first = Math.min(...columns);
    grid.style.setProperty("--columns", Math.max(...columns) - first + 1);
    for (const line of section.querySelectorAll("[data-line]")) {
      const boxes = [...line.querySelectorAll("[data-seat]")];
      if (!boxes.length) {
        grid.append(element("div", { class: "seat-passage", role: "presentation" }));
        continue;
      }
      const row = element("div", { role: "row", class: "seat-row" }, element("span", { role: "rowheader", class: "seat-row-name", "aria-label": `${part.dataset.row} ${line.dataset.label}` }, line.dataset.label));
      for (const box of boxes) {
        const { seat, shape, tint, number, column } = box.dataset;
        const cell = element("span", { role: "gridcell", class: `seat is-${shape} tier-${tint}`, tabindex: "-1", "data-cell": seat }, number);
        cell.classList.toggle("is-accessible", "accessible" in box.dataset);
        cell.style.gridColumn = Number(column) - first + 2;
        row.append(cell);
      }
      grid.append(row);
    }
    if (name) plan.append(element("p", { class: "seat-section-name" }, name));
    plan.append(grid);
    grid.querySelector("[data-cell]")?.setAttribute("tabindex", "0");
  }
  return plan;
}

function enhance() {
  const part = document.querySelector("[data-seats]");
  if (!part || part.classList.contains("is-live")) return;
  part.classList.add("is-live");
  part.querySelector("[data-plan]").append(drawn(part));
  for (const box of part.querySelectorAll("[data-seat]")) paint(part, box);
  part.querySelector("[data-views]").hidden = false;
  show(part, localStorage.getItem("seats") === "list" ? "list" : "plan");
  summary(part);
  const plan = part.querySelector("[data-plan]");
  plan.scrollLeft = (plan.scrollWidth - plan.clientWidth) / 2;
}

function show(part, view) {
  part.querySelector("[data-plan]").hidden = view !== "plan";
  part.querySelector("[data-list]").hidden = view === "plan";
  for (const button of part.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === view));
}

function toggle(cell) {
  const box = boxOf(cell);
  if (box.disabled) return say(words(cell.closest("[data-seats]"), box));
  box.checked = !box.checked;
  box.dispatchEvent(new Event("change", { bubbles: true }));
}

function focus(cell) {
  if (!cell) return;
  for (const old of cell.closest("[role=grid]").querySelectorAll('[tabindex="0"]')) old.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
}

const nearest = (cells, column) => cells.reduce((best, cell) => (Math.abs(cell.style.gridColumnStart - column) < Math.abs(best.style.gridColumnStart - column) ? cell : best), cells[0]);

// The cell that a key leads to from another one: through all sections, gaps are skipped.
function target(cell, event) {
  const rows = [...cell.closest("[data-plan]").querySelectorAll("[role=row]")];
  const cellsOf = (row) => [...row.querySelectorAll("[data-cell]")];
  const at = rows.indexOf(cell.closest("[role=row]"));
  const mine = cellsOf(rows[at]);
  const aside = (steps) => mine[mine.indexOf(cell) + steps];
  const beyond = (steps) => {
    const row = rows[Math.min(Math.max(at + steps, 0), rows.length - 1)];
    return row === rows[at] ? cell : nearest(cellsOf(row), cell.style.gridColumnStart);
  };
  switch (event.key) {
    case "ArrowLeft": return aside(-1);
    case "ArrowRight": return aside(1);
    case "ArrowUp": return beyond(-1);
    case "ArrowDown": return beyond(1);
    case "PageUp": return beyond(-5);
    case "PageDown": return beyond(5);
    case "Home": return event.ctrlKey ? cellsOf(rows[0])[0] : mine[0];
    case "End": return event.ctrlKey ? cellsOf(rows.at(-1)).at(-1) : mine.at(-1);
    default: return null;
  }
}

document.addEventListener("keydown", (event) => {
  const cell = event.target.closest?.("[data-plan] [data-cell]");
  if (!cell) return;
  if (event.key === " " || event.key === "Enter") toggle(cell);
  else if (/^(Arrow|Page|Home|End)/.test(event.key)) focus(target(cell, event));
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const view = event.target.closest("[data-view]");
  if (view) {
    localStorage.setItem("seats", view.dataset.view);
    show(view.closest("[data-seats]"), view.dataset.view);
  }
  const cell = event.target.closest("[data-plan] [data-cell]");
  if (!cell) return;
  focus(cell);
  toggle(cell);
});

document.addEventListener("change", (event) => {
  const box = event.target.closest("[data-list] [data-seat]");
  if (!box) return;
  const part = box.closest("[data-seats]");
  paint(part, box);
  summary(part);
});

// Ask what is taken now, and show it.
async function news() {
  const part = document.querySelector("[data-seats]");
  if (!part) return;
  const answer = await fetch(part.dataset.seats, { headers: { accept: "application/json" } });
  if (!answer.ok) return;
  const { version, taken, mine } = await answer.json();
  if (version !== Number(part.dataset.version)) {
    say(part.dataset.changed);
    return;
  }
  const states = new Map([...taken.map((name) => [name, "taken"]), ...mine.map((name) => [name, "mine"])]);
  for (const box of part.querySelectorAll("[data-seat]")) {
    const state = states.get(box.dataset.seat) ?? "free";
    if (state === box.dataset.state) continue;
    box.dataset.state = state;
    if (box.checked && state !== "free") {
      box.checked = false;
      if (state === "taken") say(part.dataset.gone.replace("{seat}", box.dataset.seat));
      box.dispatchEvent(new Event("change", { bubbles: true }));
    } else paint(part, box);
    cellOf(box)?.classList.add("is-fresh");
  }
}

enhance();
document.addEventListener("seats:news", news);
document.addEventListener("htmx:afterSettle", (event) => {
  enhance();
  if (event.target.id === "booking-said" || event.detail?.target?.id === "booking-said") news();
});
