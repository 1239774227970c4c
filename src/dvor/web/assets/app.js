// Small helpers of pages that work without them.
import htmx from "htmx.org";
import "./theme.js";
import "./parts.js";
import "./hold.js";
import "./live.js";
import "./booking.js";
import "./calendar.js";

window.htmx = htmx;
