"""A team's params.yaml and a newer Argot's, put together."""

from __future__ import annotations

import pytest
import yaml

from argot.project.params import blocks, merged
from tools.deps import ROOT

BASE = """# Every knob.

train:
  # Passes.
  epochs: 2
  # Highest rate.
  rate: 0.1
  # Layers.
  layers: 6
spend:
  prices:
    a: {input: 1.0}
    b: {input: 2.0}
"""
NEW = """# Every knob, and what it does.

train:
  # Passes over the data.
  epochs: 3
  # Hardest first.
  order:
    - hard
    - easy
  # Highest rate.
  rate: 0.2
spend:
  prices:
    a: {input: 1.0}
    b: {input: 2.5}
  # Dollars.
  most: 5.0
# Where.
machine:
  device: auto
"""


def test_blocks_are_the_text_of_params_cut_at_its_keys() -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    cut = dict(blocks(text))
    assert "".join(cut.values()) == text
    assert cut["train", "epochs"].splitlines() == [
        "  # Passes over the passages that have queries.",
        "  epochs: 2",
    ]
    assert ("spend", "prices", "gpt-5.4-mini") in cut


def test_what_the_team_left_as_it_was_is_as_argot_has_it_now() -> None:
    assert merged(BASE, BASE, NEW).text == NEW


def test_values_and_comments_of_the_team_stay_and_new_keys_come() -> None:
    ours = BASE.replace("# Passes.\n  epochs: 2", "# Four, for our texts are short.\n  epochs: 4")
    result = merged(ours, BASE, NEW)
    assert "  # Four, for our texts are short.\n  epochs: 4\n  # Hardest first.\n" in result.text
    assert yaml.safe_load(result.text) == {
        "train": {"epochs": 4, "order": ["hard", "easy"], "rate": 0.2},
        "spend": {"prices": {"a": {"input": 1.0}, "b": {"input": 2.5}}, "most": 5.0},
        "machine": {"device": "auto"},
    }
    assert result.notes == [
        "train.epochs stays 4; Argot's is 3 now",
        "train.rate is 0.2 now; it was 0.1",
        "train.layers is gone; it was 6",
        "spend.prices.b is {input: 2.5} now; it was {input: 2.0}",
        "train.order is new: - hard - easy",
        "spend.most is new: 5.0",
        "machine is new: a section",
        "machine.device is new: auto",
    ]


def test_keys_that_the_team_added_or_removed_stay_so() -> None:
    ours = BASE.replace("    b: {input: 2.0}", "    c: {input: 9.0}").removesuffix("\n")
    result = yaml.safe_load(merged(ours, BASE, NEW).text)
    assert result["spend"] == {"prices": {"a": {"input": 1.0}, "c": {"input": 9.0}}, "most": 5.0}


def test_params_that_were_merged_are_merged_already() -> None:
    ours = BASE.replace("epochs: 2", "epochs: 4")
    once = merged(ours, BASE, NEW).text
    assert merged(once, NEW, NEW).text == once


@pytest.mark.parametrize(
    "ours",
    [
        "train: [",
        BASE.replace("  prices:\n    a: {input: 1.0}\n    b: {input: 2.0}", "  prices: {a: 1}"),
    ],
)
def test_a_text_that_can_not_be_merged_is_an_error_and_not_half_a_text(ours: str) -> None:
    new = NEW.replace("    a: {input: 1.0}\n", "    a: {input: 1.0}\n    z: {input: 1.0}\n")
    with pytest.raises(yaml.YAMLError):
        merged(ours, BASE, new)
