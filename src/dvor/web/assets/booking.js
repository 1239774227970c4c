// The total of the booking box follows what is chosen. The server counts again in any case.
const language = document.documentElement.lang;

function shown(minor, currency) {
  const format = (whole) => new Intl.NumberFormat(language, {
    style: "currency", currency, currencyDisplay: "narrowSymbol", minimumFractionDigits: whole ? 0 : undefined, maximumFractionDigits: whole ? 0 : undefined,
  });
  const digits = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
  const unit = 10 ** digits;
  return format(minor % unit === 0).format(minor / unit);
}

function count(form) {
  if (form.dataset.priced) return; // discounts: the server's answer is on its way
  const data = new FormData(form);
  let total = 0;
  const chosen = form.querySelector('[name="offer_id"][data-price]:checked, [name="offer_id"][type="hidden"][data-price]');
  if (chosen) {
    const quantity = form.elements.namedItem("quantity");
    if (chosen.dataset.most) quantity.max = chosen.dataset.most;
    if (Number(quantity.value) > Number(quantity.max)) quantity.value = quantity.max;
    total = Number(chosen.dataset.price) * Number(data.get("quantity") || 0);
  }
  for (const field of form.querySelectorAll('[name^="quantity-"][data-price]')) total += Number(field.dataset.price) * Number(field.value || 0);
  for (const seat of document.querySelectorAll("[data-seat]:checked")) if (seat.form === form) total += Number(seat.dataset.price);
  const words = shown(total, form.dataset.currency);
  for (const place of document.querySelectorAll("[data-total], [data-total-copy]")) place.textContent = words;
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-book]") ?? event.target.form;
  if (form?.matches("[data-book]")) count(form);
});
for (const form of document.querySelectorAll("[data-book]")) count(form);
document.addEventListener("htmx:afterSettle", () => document.querySelectorAll("[data-book]").forEach(count));
