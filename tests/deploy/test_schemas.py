"""What other programs make of the files of the deployment: schemas of compose, GitLab and Kubernetes."""

import shutil
from pathlib import Path

import pytest

from tests.deploy import engine

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(900)]
VERSIONS = ("1.31", "1.37")
"""Of Kubernetes: the oldest that is meant, and a new one."""


class TestSchemas:
    def test_compose_and_the_pipeline_are_well_formed(self) -> None:
        check = str(engine.tools() / "check-jsonschema")
        engine.run(check, "--builtin-schema", "vendor.compose-spec", "compose.yaml")
        engine.run(
            *(check, "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"),
            ".gitlab-ci.yml",
        )

    @pytest.mark.parametrize("overlay", ["staging", "production"])
    def test_overlays_are_what_kubernetes_takes(self, overlay: str, tmp_path: Path) -> None:
        engine.need("" if shutil.which("kubectl") else "kubectl is missing")
        made = engine.run("kubectl", "kustomize", f"deploy/kubernetes/overlays/{overlay}")
        for version in VERSIONS:
            said = self._validated(made, tmp_path, version)
            assert "ERROR" not in said
        wrong = made.replace("maxUnavailable: 0", "maxUnavailable: {}", 1)
        with pytest.raises(AssertionError, match="maxUnavailable"):
            self._validated(wrong, tmp_path, VERSIONS[-1])

    def _validated(self, made: str, folder: Path, version: str) -> str:
        file = folder / "made.yaml"
        file.write_text(made)
        validate = str(engine.tools() / "kubernetes-validate")
        return engine.run(
            validate, "--strict", "--quiet", "--kubernetes-version", version, str(file)
        )
