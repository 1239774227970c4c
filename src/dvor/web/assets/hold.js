// Time left of a hold, in words; spoken at three minutes, at one, and when it has ended.
import { say } from "./say.js";

const language = document.documentElement.lang;
const plural = new Intl.PluralRules(language);
const spoken = new WeakMap();

function words(element, minutes) {
  const form = { one: element.dataset.one, few: element.dataset.few }[plural.select(minutes)] ?? element.dataset.many;
  return form.replace("{n}", minutes);
}

function tick() {
  for (const element of document.querySelectorAll("[data-hold-until]")) {
    // The server's clock may be ahead (demonstrations move it): count from the minutes it gave.
    if (!element.dataset.endsAt) {
      const byClock = Date.parse(element.dataset.holdUntil) - Date.now();
      const given = Number(element.dataset.holdMinutes) * 60000;
      const left = byClock > given - 60000 && byClock <= given ? byClock : given;
      element.dataset.endsAt = Date.now() + left;
    }
    const seconds = (Number(element.dataset.endsAt) - Date.now()) / 1000;
    const minutes = Math.ceil(seconds / 60);
    const text = element.querySelector("span");
    const now = seconds <= 0 ? "over" : minutes <= 3 ? "short" : "long";
    const shown = now === "over" ? element.dataset.over : words(element, minutes);
    if (text.textContent !== shown) text.textContent = shown;
    element.classList.toggle("is-short", now === "short");
    element.classList.toggle("is-over", now === "over");
    const before = spoken.get(element);
    spoken.set(element, now);
    if (now === "short" && before === "long") say(element.dataset.short);
    if (now === "over" && before && before !== "over") {
      say(element.dataset.over);
      element.dispatchEvent(new CustomEvent("hold-over", { bubbles: true }));
    }
  }
}

tick();
setInterval(tick, 1000);
document.addEventListener("htmx:afterSettle", tick);
