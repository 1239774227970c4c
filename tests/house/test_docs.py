"""What the documents say is what the code does."""

import json
import re
from pathlib import Path

from dvor import topology
from dvor.cli.graph import mermaid
from dvor.kernel import metrics
from dvor.kernel.config import reference

ROOT = Path(__file__).parents[2]


class TestDocuments:
    def test_the_architecture_shows_the_graph_of_the_code(self) -> None:
        assert "\n".join(mermaid(topology.SERVICES)) in (ROOT / "ARCHITECTURE.md").read_text()

    def test_the_reference_lists_every_variable(self) -> None:
        written = (ROOT / "docs/reference/configuration.md").read_text()
        assert written == reference(), "write it anew: see kernel/config.py"

    def test_asyncapi_says_what_the_contracts_say(self) -> None:
        written = (ROOT / "docs/reference/asyncapi.json").read_text()
        assert written == topology.asyncapi(), "run `./dvor proto` and commit what it wrote"

    def test_asyncapi_has_every_event_and_everyone_who_takes_it(self) -> None:
        found = json.loads((ROOT / "docs/reference/asyncapi.json").read_text())
        for service in topology.SERVICES:
            for event in service.handlers:
                assert event.wire_name in found["components"]["messages"]
                assert event.wire_name in found["channels"][event.source]["messages"]
                for way in ("kafka", "rabbitmq"):
                    takes = found["operations"][f"{service.name}.takes.{event.source}.by.{way}"]
                    assert event.wire_name in json.dumps(takes["messages"])

    def test_asyncapi_refers_to_nothing_that_is_not_there(self) -> None:
        text = (ROOT / "docs/reference/asyncapi.json").read_text()
        found = json.loads(text)
        references = re.findall(r'"\$ref": "#/([^"]+)"', text)
        assert references
        for reference_ in references:
            place = found
            for step in reference_.split("/"):
                place = place[step]

    def test_the_reference_lists_every_metric(self) -> None:
        written = (ROOT / "docs/reference/metrics.md").read_text()
        assert written == metrics.reference(), "write it anew: see kernel/metrics.py"

    def test_every_decision_and_guide_that_is_linked_exists(self) -> None:
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
            for target in _links(page.read_text()):
                if "://" not in target and not target.startswith("#"):
                    assert (page.parent / target.partition("#")[0]).exists(), (page.name, target)


def _links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", text)
