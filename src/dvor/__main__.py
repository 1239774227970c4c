"""`python -m dvor`: the command line."""

from dvor.cli.app import run

run()
