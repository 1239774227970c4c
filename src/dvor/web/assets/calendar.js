// Choosing a range on the calendar of a listing: mouse, touch, or keys as the ARIA practices say.
const DAY_MS = 86_400_000;
const parse = (text) => new Date(`${text}T00:00:00Z`);
const iso = (day) => day.toISOString().slice(0, 10);
const later = (text, days) => iso(new Date(parse(text).getTime() + days * DAY_MS));
const spoken = (text) => new Intl.DateTimeFormat(document.documentElement.lang, { weekday: "short", day: "numeric", month: "long", timeZone: "UTC" }).format(parse(text));

const fields = () => {
  const form = document.querySelector("[data-when]");
  return form && { form, start: form.elements.start, end: form.elements.end };
};
const calendarOf = () => document.querySelector("[data-calendar]");
const cell = (day) => calendarOf()?.querySelector(`[data-day="${day}"]`);

let first = null; // chosen as the first day while the last is still open
let wanted = null; // the day to focus once other months have come

function enhance() {
  const calendar = calendarOf();
  if (!calendar || !fields() || calendar.classList.contains("is-choosable")) return;
  calendar.classList.add("is-choosable");
  for (const table of calendar.querySelectorAll(".month")) {
    table.setAttribute("role", "grid");
    table.setAttribute("aria-label", table.caption.textContent);
  }
  const days = [...calendar.querySelectorAll("[data-day]")];
  for (const day of days) {
    day.parentElement.setAttribute("role", "gridcell");
    day.setAttribute("role", "button");
    day.tabIndex = -1;
    if (!("free" in day.dataset)) day.setAttribute("aria-disabled", "true");
  }
  const { start } = fields();
  const reach = cell(start.value) ?? days.find((day) => "free" in day.dataset) ?? days[0];
  if (reach) reach.tabIndex = 0;
  paint();
  const next = wanted;
  wanted = null;
  if (next) focus(next);
}

function paint(over = null) {
  const when = fields();
  const start = first ?? when.start.value;
  const end = first ? over : when.end.value;
  for (const day of calendarOf().querySelectorAll("[data-day]")) {
    const date = day.dataset.day;
    day.classList.toggle("is-first", date === start);
    day.classList.toggle("is-last", Boolean(end) && date === end && end > start);
    day.classList.toggle("is-within", Boolean(end) && date > start && date < end);
    day.setAttribute("aria-pressed", String(date === start || date === end));
  }
}

function tell(words) {
  calendarOf().querySelector("[data-says]").textContent = words;
}

// Nights from start up to end must be free; the day of leaving itself may be taken.
function free(start, end) {
  for (let day = start; day < end; day = later(day, 1)) {
    const here = cell(day);
    if (here && !("free" in here.dataset)) return false;
  }
  return true;
}

function choose(date) {
  const calendar = calendarOf();
  const when = fields();
  const open = "free" in cell(date).dataset;
  if (first && date > first) {
    if (!free(first, date)) {
      first = null;
      paint();
      tell(calendar.dataset.taken);
      return;
    }
    when.start.value = first;
    when.end.value = date;
    tell(calendar.dataset.done.replace("{first}", spoken(first)).replace("{last}", spoken(date)));
    first = null;
    paint();
    when.end.dispatchEvent(new Event("change", { bubbles: true }));
  } else if (open) {
    first = date;
    paint();
    tell(calendar.dataset.first.replace("{day}", spoken(date)));
  }
}

function focus(date) {
  const target = cell(date);
  if (!target) {
    const shown = [...calendarOf().querySelectorAll("[data-day]")].map((day) => day.dataset.day);
    const turn = calendarOf().querySelector(date < shown[0] ? '[data-turn="back"]' : '[data-turn="on"]');
    if (turn) {
      wanted = date;
      turn.click();
    }
    return;
  }
  for (const day of calendarOf().querySelectorAll('[data-day][tabindex="0"]')) day.tabIndex = -1;
  target.tabIndex = 0;
  target.focus();
}

function monthsOn(text, months) {
  const day = parse(text);
  const last = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + months + 1, 0)).getUTCDate();
  return iso(new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + months, Math.min(day.getUTCDate(), last))));
}

const KEYS = {
  ArrowLeft: (day) => later(day, -1),
  ArrowRight: (day) => later(day, 1),
  ArrowUp: (day) => later(day, -7),
  ArrowDown: (day) => later(day, 7),
  Home: (day) => later(day, -((parse(day).getUTCDay() + 6) % 7)),
  End: (day) => later(day, 6 - ((parse(day).getUTCDay() + 6) % 7)),
  PageUp: (day, shift) => monthsOn(day, shift ? -12 : -1),
  PageDown: (day, shift) => monthsOn(day, shift ? 12 : 1),
};

document.addEventListener("keydown", (event) => {
  const day = event.target.closest?.(".is-choosable [data-day]");
  if (!day) return;
  if (event.key === "Enter" || event.key === " ") choose(day.dataset.day);
  else if (event.key === "Escape" && first) {
    first = null;
    paint();
  } else if (KEYS[event.key]) {
    focus(KEYS[event.key](wanted ?? day.dataset.day, event.shiftKey));
    if (first) paint(document.activeElement?.dataset?.day);
  } else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const day = event.target.closest(".is-choosable [data-day]");
  if (day) choose(day.dataset.day);
});

document.addEventListener("pointerover", (event) => {
  const day = first && event.target.closest(".is-choosable [data-day]");
  if (day) paint(day.dataset.day);
});

// The end follows the start, so that one correction is enough.
document.addEventListener("change", (event) => {
  const when = fields();
  if (!when || event.target !== when.start) return;
  if (when.start.value && when.end.value && when.end.value <= when.start.value) when.end.value = later(when.start.value, 1);
  if (calendarOf()) paint();
}, true);

enhance();
document.addEventListener("htmx:afterSettle", enhance);
