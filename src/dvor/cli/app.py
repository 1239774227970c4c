"""The commands. Each loads what it needs when it runs, so that `dvor help` is instant."""

from pathlib import Path
from typing import Annotated

import typer
import typer.core

from dvor.cli import ROOT
from dvor.cli.problems import fail, told_in_one_line

app = typer.Typer(
    name="dvor",
    help="Dvor: sell goods, rent out things, let rooms and fill events on one platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
importing = typer.Typer(
    name="import",
    rich_markup_mode=None,
    help="Bring listings in from a file.",
    no_args_is_help=True,
)
replaying = typer.Typer(
    name="replay", rich_markup_mode=None, help="Live recorded days again.", no_args_is_help=True
)
standing = typer.Typer(
    name="servers",
    rich_markup_mode=None,
    help="PostgreSQL, Redis, RabbitMQ, Kafka and others for development, below ./data/servers.",
    no_args_is_help=True,
)
app.add_typer(importing)
app.add_typer(replaying)
app.add_typer(standing)

DATA = ROOT / "data"
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="DVOR_DATA",
        help="The folder that holds everything (./data).",
        show_default=False,
    ),
]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def run() -> None:
    """Run the command line; what a person can mend is told in one line."""
    with told_in_one_line():
        app(prog_name="dvor")


@app.command()
def up(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, envvar="DVOR_PORT", help="0: any free one.")
    ] = 8000,
    host: Annotated[
        str, typer.Option(envvar="DVOR_HOST", help="0.0.0.0: reachable from outside.")
    ] = "127.0.0.1",
    data: Data = DATA,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Fill a demo world.")] = True,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that serve.")] = 1,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="Every service in its own process, behind nginx.")
    ] = False,
    broker: Annotated[
        str, typer.Option(help="With --distributed: local, kafka or rabbitmq.")
    ] = "local",
    replicas: Annotated[
        int, typer.Option(min=1, max=8, help="With --distributed: processes of each service.")
    ] = 1,
) -> None:
    """Start everything on one port. Ctrl-C stops it."""
    from dvor.cli.supervisor import Options, Supervisor

    options = Options(host, port, data, demo, workers)
    if distributed:
        from dvor.cli.distributed import Apart, Distributed

        Distributed(options, Apart(broker, replicas)).run()
    else:
        Supervisor(options).run()


@app.command(context_settings=_PASSED_ON)
def test(context: typer.Context) -> None:
    """Run the tests: [default|nightly|images] [pytest's arguments]; or sabotage, crash, faults, …"""
    from dvor.cli import quality

    raise typer.Exit(quality.test(context.args))


@app.command()
def check() -> None:
    """Format, lint, types, import rules."""
    from dvor.cli import quality

    raise typer.Exit(quality.check())


@app.command("help")
def show_help(
    context: typer.Context, command: Annotated[list[str] | None, typer.Argument()] = None
) -> None:
    """What commands there are, or what one of them takes: `dvor help import retail`."""
    about = context.parent
    assert about is not None
    for word in command or []:
        group = about.command
        known = isinstance(group, typer.core.TyperGroup)
        found = group.get_command(about, word) if known else None
        if found is None:
            fail(f"there is no command {' '.join(command or [])!r}; see: dvor help", 2)
        about = typer.Context(found, about, word)
    typer.echo(about.command.get_help(about))


@app.command()
def version() -> None:
    """Which Dvor this is."""
    from dvor import __version__

    typer.echo(f"dvor {__version__}")


@app.command()
def graph() -> None:
    """Services, who calls whom, who reacts to what; as a table and as a Mermaid picture."""
    from dvor import topology
    from dvor.cli import graph as drawn

    drawn.show(topology.SERVICES)


@app.command()
def audit(
    data: Data = DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Check every promise on live data; code 1 where one is broken."""
    from dvor.cli import work

    raise typer.Exit(work.audit(data, as_json=as_json))


@app.command()
def parked(
    data: Data = DATA,
    *,
    replay: Annotated[bool, typer.Option("--replay", help="Apply them again.")] = False,
) -> None:
    """Events that could not be applied; code 1 while there are some."""
    from dvor.cli import parked as messages

    raise typer.Exit(messages.parked(data, again=replay))


@app.command()
def migrate(data: Data = DATA) -> None:
    """Bring the databases up to date. `up` does it by itself."""
    from dvor.cli import work

    work.migrate(data)


@app.command()
def demo(data: Data = DATA) -> None:
    """Fill the demo world; what of it is there stays. `up` does it by itself."""
    from dvor.cli import work

    work.demo(data)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(
    context: typer.Context, name: Annotated[str, typer.Argument(help="None: list them.")] = ""
) -> None:
    """Run one of the benchmarks; it gets further options, such as --json."""
    from dvor.cli import quality

    raise typer.Exit(quality.bench(name, context.args))


@app.command()
def proto() -> None:
    """Write proto/ and docs/reference/asyncapi.json anew from the contracts."""
    from dvor.cli import quality

    quality.proto()


@app.command()
def manifests() -> None:
    """Write the Kubernetes manifests of the parts anew from the topology."""
    from dvor.cli import manifests as kubernetes
    from dvor.topology import SERVICES

    for written in kubernetes.write(ROOT, SERVICES):
        print(written)


@app.command()
def lock() -> None:
    """Pin the requirements anew, with hashes and without addresses."""
    from dvor.cli import quality

    quality.lock()


@importing.command("retail")
def import_retail(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    seller: Annotated[str, typer.Option(help="Whose shop; made if there is none.")] = "",
    data: Data = DATA,
) -> None:
    """Invoice lines of an online shop become products with stock."""
    from dvor.cli import work

    raise typer.Exit(work.import_retail(data, file, seller, dry_run=dry_run))


@replaying.command("hotel")
def replay_hotel(
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="None: the excerpt we keep.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="An empty Dvor to keep the hotel in. None: it is thrown away.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Bookings of a hotel, made and cancelled again in their order, on databases of their own."""
    from dvor.cli import work

    raise typer.Exit(work.replay_hotel(file, data))


Names = Annotated[list[str] | None, typer.Argument(help="Of servers; none: all.")]


@standing.command("up")
def servers_up(names: Names = None, data: Data = DATA) -> None:
    """Start them, installing what is missing where that is allowed; they go on afterwards."""
    from dvor.cli.servers import commands

    raise typer.Exit(commands.up(data / "servers", names or ()))


@standing.command("down")
def servers_down(names: Names = None, data: Data = DATA) -> None:
    """End those that `up` started, and nothing else."""
    from dvor.cli.servers import commands

    raise typer.Exit(commands.down(data / "servers", names or ()))


@standing.command("status")
def servers_status(
    names: Names = None,
    data: Data = DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Which run, where, which version, since when."""
    from dvor.cli.servers import commands

    raise typer.Exit(commands.status(data / "servers", names or (), as_json=as_json))


@standing.command("keep", hidden=True)
def servers_keep(name: str, folder: Path, port: int) -> None:
    """Be one of them until told to stop. Set by `up`."""
    from dvor.cli.servers import keepers

    keepers.keep(name, folder, port)


@app.command(hidden=True)
def serve(
    socket: Annotated[int | None, typer.Option(help="Set by `up`.")] = None,
    held: Annotated[bool, typer.Option("--held", help="Set by `up`.")] = False,
) -> None:
    """Serve the parts named by DVOR_RUN, configured by the environment alone."""
    from dvor.cli import serving

    serving.serve(socket, held=held)
