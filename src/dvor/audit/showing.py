"""What a person, or a script, sees of an audit."""

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from dvor.audit.looking import audit
from dvor.audit.report import Finding, Report

CLEAN, BROKEN = 0, 1
"""Exit codes."""


async def run(database_urls: Mapping[str, str], *, as_json: bool = False) -> int:
    """Audit, print, and answer the exit code: 0 when every promise is kept."""
    report = await audit(database_urls)
    if as_json:
        sys.stdout.write(report.to_json() + "\n")
    else:
        show(report, Console())
    return CLEAN if report.clean else BROKEN


def show(report: Report, console: Console) -> None:
    """Print a table of all promises, then examples of what is broken."""
    table = Table(title="Audit: are the promises kept?", title_justify="left")
    table.add_column("id")
    table.add_column("promise", ratio=1)
    table.add_column("examined", justify="right")
    table.add_column("under way", justify="right")
    table.add_column("violations", justify="right")
    for finding in report.findings:
        table.add_row(finding.id, finding.sentence, *_numbers(finding))
    console.print(table)
    for finding in report.findings:
        for example in finding.examples:
            console.print(f"[red]{finding.id}[/red] {example}", highlight=False)
    console.print(verdict(report))


def verdict(report: Report) -> str:
    """One line, with markup."""
    made = [finding for finding in report.findings if not finding.skipped]
    examined = sum(finding.examined for finding in made)
    broken = sum(finding.violations for finding in made)
    if broken:
        return f"[bold red]{broken:,} violations[/bold red] in {examined:,} things examined"
    return f"[bold green]Clean[/bold green]: {len(made)} checks, {examined:,} things examined"


def _numbers(finding: Finding) -> tuple[str, str, str]:
    if finding.skipped:
        return "-", "-", f"[yellow]{finding.skipped}[/yellow]"
    shown = f"{finding.violations:,}"
    colour = "red" if finding.violations else "green"
    return (
        f"{finding.examined:,}",
        f"{finding.in_flight:,}",
        f"[{colour}]{shown}[/{colour}]",
    )
