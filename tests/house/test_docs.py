"""What the documents say is what the code does."""

import re
from pathlib import Path

from dvor import topology
from dvor.cli.graph import mermaid
from dvor.kernel.config import reference

ROOT = Path(__file__).parents[2]


class TestDocuments:
    def test_the_architecture_shows_the_graph_of_the_code(self) -> None:
        assert "\n".join(mermaid(topology.SERVICES)) in (ROOT / "ARCHITECTURE.md").read_text()

    def test_the_reference_lists_every_variable(self) -> None:
        written = (ROOT / "docs/reference/configuration.md").read_text()
        assert written == reference(), "write it anew: see kernel/config.py"

    def test_every_decision_and_guide_that_is_linked_exists(self) -> None:
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
            for target in _links(page.read_text()):
                if "://" not in target and not target.startswith("#"):
                    assert (page.parent / target.partition("#")[0]).exists(), (page.name, target)


def _links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", text)
