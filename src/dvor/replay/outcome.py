"""What came of a replay, and how it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dvor.audit import Report
from dvor.audit.showing import verdict
from dvor.replay.hotel_plan import RoomType

_NOT_AUDITED = Report(at=datetime(1970, 1, 1, tzinfo=UTC), findings=())


@dataclass(frozen=True)
class MonthResult:
    """One month: room nights by their own date, money (cents) by the date of arrival."""

    first: date
    nights_sold: int
    nights_had: int
    captured: int
    refunded: int


@dataclass(frozen=True)
class Outcome:
    """Every row accounted for, and what the hotel made of it."""

    source: str
    requested: int
    booked: int
    refused: Mapping[str, int]
    """Why -> how many."""
    turned_away: int
    """Of those refused: guests who in reality came and stayed."""
    cancelled: int
    rooms: tuple[RoomType, ...]
    months: tuple[MonthResult, ...]
    wrong: tuple[str, ...] = ()
    """Orders that did not end as their booking did."""
    report: Report = _NOT_AUDITED
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether every row is accounted for, every order ended right, and the audit is clean."""
        accounted = self.requested == self.booked + sum(self.refused.values())
        audited = bool(self.report.findings) and self.report.clean
        return accounted and not self.wrong and audited

    @property
    def rows_per_second(self) -> float:
        """How fast it went, from the first account to the audit's last word."""
        return self.requested / self.seconds if self.seconds else 0.0

    def as_table(self) -> RenderableType:
        """For a person."""
        return Group(
            self._bookings(), self._rooms(), self._months(), self._wrong(), self._closing()
        )

    def _bookings(self) -> Table:
        table = Table(title=f"Bookings of {self.source}", title_justify="left", show_header=False)
        table.add_column("what")
        table.add_column("rows", justify="right")
        table.add_row("requested", f"{self.requested:,}")
        table.add_row("booked and paid", f"{self.booked:,}")
        table.add_row("  of them cancelled later", f"{self.cancelled:,}")
        table.add_row("  of them kept", f"{self.booked - self.cancelled:,}")
        table.add_row("refused", f"{sum(self.refused.values()):,}")
        for why, rows in self.refused.items():
            table.add_row(f"  {why}", f"{rows:,}")
        if self.turned_away:
            table.add_row("  (guests among the refused who really came)", f"{self.turned_away:,}")
        return table

    def _rooms(self) -> Table:
        table = Table(
            title="Rooms: the most that guests of a reserved type really used in one night",
            title_justify="left",
        )
        table.add_column("type")
        table.add_column("rooms", justify="right")
        table.add_column("median night", justify="right")
        table.add_column("by month of arrival, lowest to highest", justify="right")
        for room in self.rooms:
            prices = [month.price for month in room.months]
            span = f"{_euros(min(prices))} to {_euros(max(prices))}" if prices else "-"
            table.add_row(room.name, f"{room.rooms:,}", _euros(room.price), span)
        return table

    def _months(self) -> Table:
        table = Table(
            title="Months: nights by date, money by date of arrival", title_justify="left"
        )
        for title in ("month", "room nights", "occupancy", "captured", "refunded", "revenue"):
            table.add_column(title, justify="left" if title == "month" else "right")
        for month in self.months:
            share = month.nights_sold / month.nights_had if month.nights_had else 0
            table.add_row(
                f"{month.first:%Y-%m}",
                f"{month.nights_sold:,}",
                f"{share:.0%}",
                _euros(month.captured),
                _euros(month.refunded),
                _euros(month.captured - month.refunded),
            )
        table.add_section()
        captured = sum(month.captured for month in self.months)
        refunded = sum(month.refunded for month in self.months)
        nights = sum(month.nights_sold for month in self.months)
        table.add_row(
            "all", f"{nights:,}", "", _euros(captured), _euros(refunded),
            _euros(captured - refunded),
        )  # fmt: skip
        return table

    def _wrong(self) -> Text:
        lines = [*self.wrong[:20], *(e for f in self.report.findings for e in f.examples)]
        return Text("\n".join(lines), style="red")

    def _closing(self) -> Text:
        speed = (
            f"{self.requested:,} rows in {self.seconds:.0f} s: {self.rows_per_second:.0f} rows/s"
        )
        return Text.from_markup(f"{speed}\nAudit: {verdict(self.report)}")


def _euros(cents: int) -> str:
    return f"€{cents / 100:,.2f}"
