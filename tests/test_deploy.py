"""The files of deploy/ are what their tools read, and say what the server's options say."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from argot.serving.cli import app
from tools.deps import ROOT

DEPLOY = ROOT / "deploy"
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_compose_is_of_its_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [*command, DEPLOY / "compose.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("given", OBJECTS, ids=lambda given: f"{given['kind']}")
def test_each_object_is_of_its_schema(given: dict[str, Any]) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    validate.validate(given, "1.30", strict=True)


def test_both_start_a_server_with_options_that_it_has() -> None:
    (deployment,) = (one for one in OBJECTS if one["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert COMPOSE["services"]["argot"]["command"] == container["args"]
    name, *arguments = container["args"]
    assert name == "argot"
    assert CliRunner().invoke(app, [*arguments, "--help"]).exit_code == 0
    known = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).output
    assert all(one in known for one in arguments if one.startswith("--"))
