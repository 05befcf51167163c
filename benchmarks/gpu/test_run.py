from __future__ import annotations

import sys

import pytest
import torch

from benchmarks.gpu import run


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_without_a_card_it_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["run"])
    run.main()
    assert capsys.readouterr().out.strip() == run.NONE


@pytest.mark.slow
def test_every_race_runs_and_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", "--device", "cpu", "--small"])
    run.main()
    told = capsys.readouterr().out.splitlines()
    assert "no component moved by more than 0.0e+00" in told[-1]
    table = [line.split(" | ") for line in told if line.startswith("| ")]
    assert [row[0] for row in table[2:]] == ["| encode", "| train", "| search"]
    for row in table[2:]:
        theirs, ours, ratio = (float(cell.replace(",", "")) for cell in row[2:5])
        assert ratio == pytest.approx(ours / theirs, rel=0.05, abs=0.01)
        assert ours > 0
