// Small helpers of pages that work without them.
import htmx from "htmx.org";
import "./theme.js";
import "./parts.js";
import "./hold.js";
import "./live.js";
import "./booking.js";
import "./calendar.js";
import "./seats.js";
import "./tape.js";
import "./copying.js";
import "./follow.js";
import "./hall.js";

window.htmx = htmx;

// Keeps the page for moments without a network.
navigator.serviceWorker?.register("/worker.js").catch(() => {});
