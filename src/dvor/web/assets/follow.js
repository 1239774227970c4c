// A listing on screen follows what others take and give back. Nothing that the visitor chose is
// touched: days and numbers change in place, and the box is drawn anew only when it opens or closes.
const SETTLE_MS = 200;
let source = null;
let address = "";
let last = "";
let bought = false; // what is gone then is in our own cart
let asking = false; // while we ask for it, whose it is is not known yet
const kept = new Map();

function wanted() {
  const root = document.querySelector("[data-follow]");
  if (!root || document.hidden) return "";
  const asked = new URLSearchParams();
  const calendar = document.getElementById("calendar");
  const booking = document.getElementById("booking");
  if (calendar) {
    asked.set("month", calendar.dataset.month);
    asked.set("quantity", calendar.dataset.quantity);
  }
  if (booking?.dataset.start) {
    asked.set("start", booking.dataset.start);
    asked.set("end", booking.dataset.end);
  }
  const when = document.querySelector("#when[data-hours]");
  if (when) for (const [name, value] of new FormData(when)) if (value) asked.set(name, value);
  return `${root.dataset.follow}?${asked}`;
}

// A stream only while the page is seen: browsers allow few connections at a time.
function follow() {
  const now = wanted();
  if (now === address) return;
  if (now.split("?")[0] !== address.split("?")[0] && now) last = "";
  source?.close();
  source = null;
  address = now;
  if (!now) return;
  source = new EventSource(last ? `${now}&after=${last}` : now);
  for (const [name, take] of Object.entries({ months, hours, stock, seats })) {
    source.addEventListener(name, (event) => {
      last = event.lastEventId || last;
      if (asking) kept.set(take, event.data);
      else take(event.data);
    });
  }
}

function fragment(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content;
}

function fresh(element) {
  element.classList.remove("is-fresh");
  requestAnimationFrame(() => element.classList.add("is-fresh"));
}

// Day by day, so that focus and what is being chosen stay.
function months(html) {
  for (const now of fragment(html).querySelectorAll("[data-day]")) {
    const day = document.querySelector(`#calendar [data-day="${now.dataset.day}"]`);
    if (!day || (day.dataset.free === now.dataset.free && day.textContent === now.textContent)) continue;
    day.innerHTML = now.innerHTML;
    const open = "free" in now.dataset;
    if (open) day.dataset.free = now.dataset.free;
    else delete day.dataset.free;
    day.parentElement.classList.toggle("is-taken", !open);
    if (day.hasAttribute("role")) {
      if (open) day.removeAttribute("aria-disabled");
      else day.setAttribute("aria-disabled", "true");
    }
    fresh(day);
  }
}

// Only what can be chosen changes. A box that is being used waits until it is left.
let waiting = "";

function hours(html) {
  const when = document.querySelector("#when[data-hours]");
  if (!when) return;
  const boxes = [...fragment(html).querySelectorAll("select")];
  const here = boxes.map((box) => when.elements.namedItem(box.name));
  const lost = here.some((box, n) => box?.value && ![...boxes[n].options].some((option) => option.value === box.value));
  if (lost || here.includes(null) || boxes.length !== when.querySelectorAll("select").length) {
    if (!bought) when.requestSubmit(); // the server says what became of it
    return;
  }
  waiting = here.includes(document.activeElement) ? html : "";
  if (waiting) return;
  for (const [n, box] of here.entries()) {
    const words = (options) => [...options].map((option) => option.value).join();
    const now = [...boxes[n].options].filter((option) => option.value || box.options[0]?.value === "");
    if (words(box.options) === words(now)) continue;
    const chosen = box.value;
    box.replaceChildren(...now);
    box.value = chosen;
    fresh(box);
  }
}

document.addEventListener("focusout", () => setTimeout(() => waiting && hours(waiting)));

function stock(html) {
  const booking = document.getElementById("booking");
  if (!booking) return;
  const news = [...fragment(html).querySelectorAll("[data-stock]")];
  const available = news.some((line) => Number(line.dataset.most) > 0) ? "yes" : "no";
  if (available !== booking.dataset.available) {
    if (available === "yes" || !bought) redraw(booking);
    return;
  }
  for (const line of news) {
    const place = booking.querySelector(`[data-stock="${line.dataset.stock}"]`);
    if (!place) continue;
    if (place.textContent.trim() !== line.textContent.trim()) {
      place.innerHTML = line.innerHTML;
      fresh(place);
    }
    limit(place, Number(line.dataset.most));
  }
}

function limit(place, most) {
  const part = place.closest("[data-offer]");
  const radio = part?.querySelector('input[type="radio"]');
  const number = (part ?? place.closest("form"))?.querySelector('input[type="number"]');
  if (radio) {
    radio.dataset.most = most;
    radio.disabled = !most && !radio.checked;
  } else if (number) {
    number.max = most;
    const single = place.closest("form")?.querySelector('[name="offer_id"][type="hidden"]');
    if (single && most) single.dataset.most = most;
  }
  for (const shown of part?.querySelectorAll("[data-while-free]") ?? []) {
    shown.hidden = !most && !(Number(shown.querySelector("input")?.value) > 0);
  }
}

async function redraw(booking) {
  const inside = booking.contains(document.activeElement);
  await window.htmx.ajax("GET", location.pathname + location.search, { target: "#booking", select: "#booking", swap: "outerHTML" });
  const now = document.getElementById("booking");
  if (inside && now) setTimeout(() => now.focus(), SETTLE_MS);
  document.getElementById("action-bar")?.toggleAttribute("hidden", now?.dataset.available === "no");
}

function seats() {
  document.dispatchEvent(new Event("seats:news"));
}

// Not by the element of the event: a form that an answer replaces is gone when its request ends.
const books = (event) => event.detail.requestConfig.elt.id === "book";

document.addEventListener("htmx:beforeRequest", (event) => { if (books(event)) asking = true; });
document.addEventListener("htmx:afterRequest", (event) => {
  if (!books(event)) return;
  asking = false;
  for (const [take, html] of kept) take(html);
  kept.clear();
});
document.addEventListener("cart-count", () => { bought = true; });
document.addEventListener("htmx:afterSettle", follow);
document.addEventListener("visibilitychange", follow);
window.addEventListener("pagehide", () => source?.close());
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    address = "";
    follow();
  }
});
follow();
