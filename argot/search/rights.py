"""Who may see which passages: documents name groups in their metadata, and who asks brings groups.

    ---
    groups: [legal, hr]
    ---

A passage is seen by whoever has one of its document's groups. Names are compared letter by letter.
A document without groups, or with something else than names there, is seen by nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any, Literal

from argot.errors import InputError

KEY = "groups"  # of a document's metadata
EVERYONE = "everyone"  # the group that all have


class Owner(Enum):
    """Whoever has the release's files on their own disk, and so can read them all."""

    ALL = "all groups"


ALL = Owner.ALL
Groups = Collection[str] | Literal[Owner.ALL]


def groups_of(metadata: Mapping[str, Any]) -> frozenset[str]:
    """The groups that may see a document; empty: nobody may."""
    given = metadata.get(KEY)
    names = given if isinstance(given, list) else [given]
    return frozenset(name for name in names if isinstance(name, str) and name)


def named(groups: Groups | None, rights: bool) -> frozenset[str] | None:
    """The groups by which a release is searched; None: all of its passages may be found.

    `rights`: has the release access rights? InputError where groups are missing or no names, and
    where they are given though the release has no rights: nothing would be hidden from anybody.
    """
    if groups is ALL or (groups is None and not rights):
        return None
    if groups is None:
        raise InputError(
            "this release has access rights: it is searched with the groups of who asks, "
            "such as groups={'legal'}, or by its owner with groups=ALL (argot.search.rights)"
        )
    if isinstance(groups, (str, bytes, Mapping)) or not isinstance(groups, Collection):
        raise InputError(f"groups: expected names such as {{'legal'}}, got {groups!r}")
    wrong = [name for name in groups if not isinstance(name, str) or not name]
    if wrong:
        raise InputError(f"groups: expected names such as 'legal', got {wrong[0]!r}")
    if not rights:
        raise InputError(
            "this release has no access rights, so it can't be searched with groups; "
            "set index.groups: true in params.yaml and run `dvc repro`"
        )
    return frozenset(groups) | {EVERYONE}
