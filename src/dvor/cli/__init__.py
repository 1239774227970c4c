"""The command line: arguments, progress, and the processes of one machine."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
"""The folder of the clone."""
