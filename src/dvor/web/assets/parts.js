// Dialogs, quantities, toasts, the cart's badge: behaviour of the parts in templates/parts.
const TOAST_MS = 7000;

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  const closer = event.target.closest("[data-closes]");
  if (closer) (closer.closest("dialog")?.close ?? (() => closer.closest(".toast")?.remove())).call(closer.closest("dialog"));
  if (event.target instanceof HTMLDialogElement) event.target.close();
  const stepper = event.target.closest("[data-quantity] [data-step]");
  if (stepper) step(stepper);
  for (const open of document.querySelectorAll("details.drop[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const open = document.querySelector("details.drop[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  }
  if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
    const find = [...document.querySelectorAll("[data-find]")].find((field) => field.offsetParent);
    if (find) {
      event.preventDefault();
      find.focus();
      find.select();
    }
  }
});

function step(button) {
  const field = button.closest("[data-quantity]").querySelector("input");
  const most = field.max === "" ? Infinity : Number(field.max);
  const wanted = Math.min(most, Math.max(Number(field.min || 0), Number(field.value || 0) + Number(button.dataset.step)));
  if (String(wanted) === field.value) return;
  field.value = wanted;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

// A form that was answered without leaving the page is a new form: it gets a new single-use key.
function renew(form) {
  const key = form?.querySelector?.('input[name="_key"]');
  if (!key) return;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  key.value = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

document.addEventListener("htmx:afterRequest", (event) => {
  renew(event.target.closest?.("form"));
  if (event.detail.failed && !event.detail.xhr?.status) {
    const words = document.body.dataset.unreachable;
    if (words) toast(words);
  }
});

// Empty fields have no place in an address.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.closest("[data-lean]")) return;
  const sent = event.detail.formData;
  for (const [name, value] of [...sent.entries()]) if (value === "") sent.delete(name);
});

document.addEventListener("cart-count", (event) => {
  for (const badge of document.querySelectorAll("[data-cart-count]")) badge.textContent = event.detail.value || "";
});

export function toast(words) {
  const line = document.createElement("p");
  line.className = "toast";
  line.setAttribute("role", "status");
  line.textContent = words;
  document.getElementById("toasts")?.append(line);
}

// Toasts leave by themselves, but not while somebody reads or uses them.
new MutationObserver((changes) => {
  for (const change of changes) {
    for (const node of change.addedNodes) {
      if (!(node instanceof HTMLElement) || !node.classList.contains("toast")) continue;
      const leave = () => { node.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : node.remove(); };
      setTimeout(leave, TOAST_MS);
    }
  }
}).observe(document.getElementById("toasts") ?? document.body, { childList: true });

for (const tabs of document.querySelectorAll(".tabs, .menu")) {
  const here = tabs.querySelector("[aria-current]");
  if (here) tabs.scrollLeft = here.offsetLeft - (tabs.clientWidth - here.offsetWidth) / 2;
}

function takeFocus(root) {
  root.querySelector?.("[data-focus]")?.focus();
}
takeFocus(document);
document.addEventListener("htmx:afterSettle", (event) => takeFocus(event.target));
