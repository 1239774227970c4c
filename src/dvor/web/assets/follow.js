// A listing on screen follows what others take and give back. Nothing that the visitor chose is
// touched: days and numbers change in place, and the box is drawn anew only when it opens or closes.
const SETTLE_MS = 200;
let source = null;
let address = "";
let last = "";
let bought = false; // what is gone then is in our own cart

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
  for (const [name, take] of Object.entries({ months, stock, seats })) {
    source.addEventListener(name, (event) => {
      last = event.lastEventId || last;
      take(event.data);
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
