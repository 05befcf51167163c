"""A release with access rights, and who tries to see more of it than they may."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from argot import Retriever
from argot.errors import InputError
from argot.search.release import FORMAT, RIGHTS, read_manifest
from argot.search.rights import ALL, groups_of
from tests.support.rights import ALL_WORDS, GROUPS, SEEN, make_release

MODES: list[Any] = ["hybrid", "bm25", "dense", "tokens"]


@pytest.fixture(scope="module")
def retriever(restricted: Path) -> Retriever:
    return Retriever.load(restricted, device="cpu")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("group", SEEN)
def test_each_group_finds_all_that_it_may_see_and_nothing_else(
    retriever: Retriever, mode: Any, group: str
) -> None:
    found = retriever.search(ALL_WORDS, 1_000_000, mode, groups={group})
    assert {one.document for one in found} == SEEN[group]
    assert len(found) == 2 * len(SEEN[group])
    assert [one.rank for one in found] == list(range(1, len(found) + 1))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("group", SEEN)
def test_results_are_those_of_a_release_without_the_hidden_passages(
    retriever: Retriever, mode: Any, group: str, tmp_path: Path
) -> None:
    """Neither scores nor ranks nor counts differ, so none of them tells of what is hidden."""
    alone = Retriever.load(make_release(tmp_path, SEEN[group]), device="cpu")
    for query in (ALL_WORDS, "seal paid", "the pump", "wages", "is taken"):
        found = retriever.search(query, 20, mode, groups={group})
        expected = alone.search(query, 20, mode, groups=ALL)
        assert [replace(one, score=0.0) for one in found] == [
            replace(one, score=0.0) for one in expected
        ]
        assert [one.score for one in found] == pytest.approx(
            [one.score for one in expected], abs=1e-5
        )


def test_a_word_of_hidden_passages_alone_finds_nothing(retriever: Retriever) -> None:
    assert retriever.search("wages", mode="bm25", groups={"mechanics"}) == []
    assert retriever.search("wages", mode="bm25", groups=ALL)[0].document == "pay.md"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "filter",
    [
        {"groups": "mechanics"},
        {"groups": "everyone"},
        {"tags": "pump"},
        {"year": 2026},
        {"year": None},
        {"groups": None},
        {},
    ],
)
def test_no_filter_widens_what_is_seen(retriever: Retriever, mode: Any, filter: Any) -> None:
    found = retriever.search(ALL_WORDS, 100, mode, filter, groups={"legal"})
    assert {one.document for one in found} <= SEEN["legal"]


def test_a_key_of_hidden_documents_alone_is_unknown(retriever: Retriever) -> None:
    with pytest.raises(InputError, match="metadata 'tags'; known are: draft, groups, year$"):
        retriever.search(ALL_WORDS, filter={"tags": "pump"}, groups=set())
    assert retriever.search(ALL_WORDS, filter={"tags": "pump"}, groups={"mechanics"})


def test_a_filter_narrows_what_is_seen(retriever: Retriever) -> None:
    found = retriever.search(ALL_WORDS, 100, "dense", {"tags": "pump"}, {"legal"})
    assert {one.document for one in found} == {"pumps/seals.md"}


@pytest.mark.parametrize(
    "name",
    [
        *("Mechanics", "MECHANICS", "mechanics ", " mechanics", "mechanic", "mechanics\n"),
        *("mechanics,legal", "m\u0435chanics", "mechan\u0131cs", "mechanics\x00", "*", ".*", "%"),
        *("all", "ALL", "Owner.ALL", "all groups", "None", "null", "[]"),
    ],
)
def test_no_other_name_is_a_groups_name(retriever: Retriever, name: str) -> None:
    found = retriever.search(ALL_WORDS, 100, "dense", groups={name})
    assert {one.document for one in found} == SEEN["nobody"]


@pytest.mark.parametrize("mode", MODES)
def test_without_groups_it_is_not_searched(retriever: Retriever, mode: Any) -> None:
    with pytest.raises(InputError, match="access rights"):
        retriever.search("pump", mode=mode)
    with pytest.raises(InputError, match="access rights"):
        retriever.search_many(["pump"], mode=mode, filter={"groups": "mechanics"})


def test_without_a_group_one_sees_what_everyone_sees(retriever: Retriever) -> None:
    found = retriever.search(ALL_WORDS, 100, "dense", groups=set())
    assert {one.document for one in found} == SEEN["nobody"]


def test_the_owner_finds_everything(retriever: Retriever) -> None:
    found = retriever.search(ALL_WORDS, 100, "dense", groups=ALL)
    assert {one.document for one in found} == set(GROUPS)


@pytest.mark.parametrize(
    "groups", ["mechanics", b"mechanics", {"mechanics": True}, 7, True, [None], [""], [["legal"]]]
)
def test_what_are_no_groups_is_refused(retriever: Retriever, groups: Any) -> None:
    with pytest.raises(InputError, match="groups: expected names"):
        retriever.search("pump", groups=groups)


def test_groups_on_a_release_without_rights_are_refused(release: Path) -> None:
    with pytest.raises(InputError, match=r"no access rights.*index\.groups"):
        Retriever.load(release, device="cpu").search("pump", groups={"mechanics"})


@pytest.mark.parametrize(
    ("metadata", "groups"),
    [
        ({"groups": ["legal", "hr"]}, {"legal", "hr"}),
        ({"groups": "legal"}, {"legal"}),
        ({"groups": "legal, hr"}, {"legal, hr"}),
        ({"groups": ["hr", 7, None, True, ["legal"], {"legal": 1}, ""]}, {"hr"}),
        ({"groups": {"legal": True}}, set()),
        ({"groups": None}, set()),
        ({"groups": True}, set()),
        ({"groups": []}, set()),
        ({"groups": ""}, set()),
        ({"Groups": ["legal"], "group": "legal", " groups": "legal"}, set()),
        ({}, set()),
    ],
)
def test_only_names_are_groups(metadata: dict[str, Any], groups: set[str]) -> None:
    assert groups_of(metadata) == groups


def test_only_a_release_with_rights_has_the_format_that_older_versions_refuse(
    restricted: Path, release: Path
) -> None:
    assert (read_manifest(restricted).format, read_manifest(release).format) == (RIGHTS, FORMAT)
    assert read_manifest(restricted).figures["unseen"] == 2
    assert "unseen" not in read_manifest(release).figures
