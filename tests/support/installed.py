"""Which modules an installation with certain extras has, by the metadata of what is installed here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.deps import ROOT

NAME = "argot-retrieval"


@cache
def project() -> dict[str, list[str]]:
    """The requirements of pyproject.toml by extra; those of the base installation under the empty name."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"": table["dependencies"], **table["optional-dependencies"]}


def distributions(*extras: str) -> set[str]:
    """All that `pip install argot-retrieval[extras]` would bring, requirements of requirements included."""
    waiting = [line for extra in ("", *extras) for line in project()[extra]]
    seen: set[str] = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        if str(requirement) not in seen:
            seen.add(str(requirement))
            waiting += _required(requirement)
    return {str(canonicalize_name(Requirement(line).name)) for line in seen}


def _required(requirement: Requirement) -> Iterable[str]:
    if requirement.name == NAME:
        return [line for extra in requirement.extras for line in project()[extra]]
    try:
        lines = requires(requirement.name) or []
    except PackageNotFoundError:  # of another system, or the other of cpu and gpu
        return []
    extras = requirement.extras or {""}
    return [line for line in lines if _applies(Requirement(line), extras)]


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in {*extras, ""})


@cache
def modules(*extras: str) -> set[str]:
    """The top-level modules that these distributions hold."""
    brought = distributions(*extras)
    return {
        module
        for module, names in packages_distributions().items()
        if brought & {str(canonicalize_name(name)) for name in names}
    }
