"""Team-draft interleaving: fair drafts, and users whose preference is known."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from argot.feedback.interleaving import Preference, draft, preferences
from argot.feedback.journal import FeedbackRecord

SHOWN = 10


def asked(search: str, query: str, teams: dict[str, str], candidate: str = "new") -> FeedbackRecord:
    return FeedbackRecord.model_validate(
        {
            **{"kind": "asked", "query": query, "search": search, "release": "old"},
            **{"candidate": candidate, "teams": teams},
        }
    )


def given(search: str, chunk: str, verdict: str, query: str = "") -> FeedbackRecord:
    kind = "click" if verdict == "opened" else "thumb"
    return FeedbackRecord.model_validate(
        {"kind": kind, "query": query, "search": search, "chunk": chunk, "verdict": verdict}
    )


def ranking(source: random.Random, place: int) -> list[str]:
    """Ten passages, of thirty that don't answer, with the answer at `place` if that is below 10."""
    found = source.sample([f"p{number}" for number in range(30)], SHOWN)
    return found if place >= SHOWN else [*found[:place], "answer", *found[place : SHOWN - 1]]


def simulated(source: random.Random, questions: int, gain: float) -> Preference:
    """Users who open the answer nine times of ten, and any passage once in twenty.

    For a share `gain` of the questions the candidate ranks the answer five places higher, for the
    others somewhere else, without being better.
    """
    records = []
    for number in range(questions):
        place = source.randrange(12)
        better = place - 5 if source.random() < gain else source.randrange(12)
        rankings = ranking(source, place), ranking(source, max(0, better))
        search = f"{source.random()} {number}"
        teams = draft(*rankings, SHOWN, search)
        records.append(
            asked(search, f"q{number}", {id: team for id, team in teams.items() if team})
        )
        for chunk in teams:
            if source.random() < (0.9 if chunk == "answer" else 0.05):
                records.append(given(search, chunk, "opened"))
    [found] = preferences(records)
    return found


def test_both_pick_in_turn_and_what_both_would_pick_has_no_team() -> None:
    for seed in "abcdefgh":
        drafted = draft(["x", "a", "b", "c"], ["x", "d", "a", "e"], 5, seed)
        assert next(iter(drafted)) == "x" and drafted["x"] is None
        assert set(list(drafted)[1:3]) == {"a", "d"}
        assert (drafted["a"], drafted["d"]) == ("served", "candidate")
        assert drafted == draft(["x", "a", "b", "c"], ["x", "d", "a", "e"], 5, seed)
    assert draft(["a", "b"], ["a", "b"], 5, "") == {"a": None, "b": None}
    assert draft(["a"], [], 5, "") == {"a": "served"}
    assert draft([], [], 5, "") == {}


def test_every_place_goes_to_each_team_alike() -> None:
    ours, theirs = [f"a{place}" for place in range(9)], [f"b{place}" for place in range(9)]
    places: Counter[int] = Counter()
    for seed in range(2000):
        drafted = draft(ours, theirs, 9, str(seed))
        places.update(at for at, team in enumerate(drafted.values()) if team == "candidate")
    # 2000 fair coins: a standard deviation of 22.
    assert all(900 < places[place] < 1100 for place in range(9))


def test_users_who_prefer_the_candidate_or_the_served_release_are_believed() -> None:
    source = random.Random(13)
    better = [simulated(source, 150, gain=0.6) for _ in range(20)]
    assert all(found.preferred == "candidate" for found in better)
    assert all(found.shown == 150 for found in better)


def test_without_a_preference_the_interval_covers_a_half() -> None:
    source = random.Random(13)
    trials = 200
    wrong = sum(simulated(source, 60, gain=0.0).preferred is not None for _ in range(trials))
    # At most 5 % of the trials may be wrong; three standard deviations above it is 19.
    assert wrong <= 19


def test_a_question_has_one_vote_however_often_it_is_asked() -> None:
    teams = {"a": "served", "b": "candidate", "c": "candidate"}
    records = [asked(f"s{number}", "Who pays?", teams) for number in range(9)]
    records += [given(f"s{number}", "b", "up") for number in range(9)]
    records += [asked("other", "who signs", teams), given("other", "a", "opened")]
    [found] = preferences(records)
    assert (found.wins, found.losses, found.ties, found.shown) == (1, 1, 0, 2)


@pytest.mark.parametrize(
    ("verdicts", "counted"),
    [
        ([("b", "up")], (1, 0, 0)),
        ([("b", "down")], (0, 1, 0)),
        ([("a", "opened"), ("b", "opened")], (0, 0, 1)),
        ([("b", "opened"), ("b", "down")], (0, 1, 0)),  # a thumb says more than a click
        ([("b", "down"), ("b", "opened")], (0, 1, 0)),
        ([("b", "up"), ("b", "down")], (0, 1, 0)),  # the last thumb counts
        ([("b", "opened"), ("b", "opened"), ("a", "up")], (0, 0, 1)),  # a passage counts once
        ([("shared", "up"), ("unknown", "up")], (0, 0, 0)),  # of no team
        ([], (0, 0, 0)),
    ],
)
def test_thumbs_and_clicks_count_for_the_team_of_their_passage(
    verdicts: Sequence[tuple[str, str]], counted: tuple[int, int, int]
) -> None:
    records = [given("s", chunk, verdict) for chunk, verdict in verdicts]
    # Clicks stand in another file than thumbs, which is read first.
    [found] = preferences([*records, asked("s", "q", {"a": "served", "b": "candidate"})])
    assert (found.wins, found.losses, found.ties) == counted


def test_a_client_cannot_say_whose_passage_it_was() -> None:
    lie = given("s", "a", "up").model_copy(update={"teams": {"a": "candidate"}})
    [found] = preferences([asked("s", "q", {"a": "served"}), lie, given("forged", "a", "up")])
    assert (found.wins, found.losses) == (0, 1)


def test_each_candidate_is_counted_for_itself() -> None:
    records = [
        asked("1", "q", {"a": "candidate"}, candidate="x"),
        asked("2", "q", {"a": "candidate"}, candidate="y"),
        given("1", "a", "up"),
        given("2", "a", "down"),
    ]
    assert [(one.candidate, one.wins, one.losses) for one in preferences(records)] == [
        ("x", 1, 0),
        ("y", 0, 1),
    ]


def test_the_interval_is_the_sign_tests() -> None:
    # 15 of 20 has a two-sided p of 0.041, 14 of 20 one of 0.115.
    assert Preference("o", "n", 15, 5, 0, 20).preferred == "candidate"
    assert Preference("o", "n", 5, 15, 0, 20).preferred == "served"
    assert Preference("o", "n", 14, 6, 0, 20).preferred is None
    assert Preference("o", "n", 0, 0, 3, 20).interval == (0.0, 1.0)
