"""`argot publish`: what the card says of the base model."""

from __future__ import annotations

from pathlib import Path

import pytest

from argot.core.files import write_json
from argot.report.terminal import EVALUATED, EVALUATION
from argot.search.release import read_manifest
from argot.serving.cli.publish import FETCHED, publish

NOTHING: dict[str, object] = {}


@pytest.mark.parametrize(("base", "named"), [("", "team/e5"), ("other/model", "other/model")])
def test_the_card_names_the_model_that_was_fetched_or_the_one_that_is_given(
    release: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    base: str,
    named: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    verdict = read_manifest(release).verdict
    text = {"reason": "too few questions", "verdict": verdict.verdict, "ships": verdict.system}
    evaluation = dict.fromkeys(EVALUATED, NOTHING) | {"text": text}
    evaluation["differences"] = {"questions": {}, "pairs": {}}
    write_json(EVALUATION, evaluation)
    write_json(FETCHED, {"base_model": "team/e5", "license": "mit"})
    publish("team/handbook", base, dry_run=True, release=release)
    card = capsys.readouterr().out
    assert f"own language: `{named}`" in card
    assert "MiniLM" not in card
