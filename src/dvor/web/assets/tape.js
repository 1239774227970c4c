// Stays of a tape chart move to another room by mouse, or by Alt and an arrow. The forms of the page do the same.
const table = document.querySelector("[data-tape]");
const form = document.getElementById("tape-move");

function move(stay, room) {
  form.elements.namedItem("stay").value = stay;
  form.elements.namedItem("room").value = room;
  sessionStorage.setItem("tape-focus", `s-${stay}`);
  form.requestSubmit();
}

if (table && form) {
  const rows = [...table.querySelectorAll("tr[data-room]")];
  for (const bar of table.querySelectorAll("[data-stay]")) {
    bar.draggable = true;
    bar.addEventListener("dragstart", (event) => {
      event.dataTransfer.setData("text/x-stay", bar.dataset.stay);
      event.dataTransfer.effectAllowed = "move";
    });
    bar.addEventListener("keydown", (event) => {
      if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
      event.preventDefault();
      const at = rows.indexOf(bar.closest("tr"));
      const next = rows[at + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) move(bar.dataset.stay, next.dataset.room);
    });
  }
  for (const row of rows) {
    row.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("text/x-stay")) return;
      event.preventDefault();
      row.classList.add("is-over");
    });
    row.addEventListener("dragleave", () => row.classList.remove("is-over"));
    row.addEventListener("drop", (event) => {
      event.preventDefault();
      row.classList.remove("is-over");
      const stay = event.dataTransfer.getData("text/x-stay");
      if (stay) move(stay, row.dataset.room);
    });
  }
  const focus = sessionStorage.getItem("tape-focus");
  sessionStorage.removeItem("tape-focus");
  if (focus) document.getElementById(focus)?.focus();
}
