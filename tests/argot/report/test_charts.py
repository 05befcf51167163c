from __future__ import annotations

import re

import pytest

from argot.report.charts import Bar, Point, intervals, lines, tone

BARS = [
    Bar("base", 0.5, 0.4, 0.6, "var(--base)", "0.500"),
    Bar('<b>& "tuned"', 0.7, None, None, "var(--tuned)", "0.700"),
]


def test_rows_stand_in_their_order_with_names_and_numbers() -> None:
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", intervals(BARS, "nDCG@10"))
    assert [text for text in texts if text in ("0.500", "0.700")] == ["0.500", "0.700"]
    assert "base" in texts and "nDCG@10" in texts


def test_names_are_escaped_and_colours_left_to_the_page() -> None:
    drawn = intervals(BARS, "nDCG@10")
    assert "<b>" not in drawn and "&lt;b&gt;&amp;" in drawn
    assert "var(--tuned)" in drawn and "currentColor" in drawn
    assert not re.search(r'(fill|stroke)="(white|#fff)', drawn)


def test_an_unknown_interval_is_not_drawn() -> None:
    def rules(bars: list[Bar]) -> int:
        return intervals(bars, "points").count('stroke-width="3"')

    assert rules(BARS) == 1
    assert rules([BARS[0], BARS[1]._replace(low=0.6, high=0.8)]) == 2


def test_the_same_points_give_the_same_bytes() -> None:
    points = [Point(x, y, "var(--tuned)") for x, y in ((0, 0.5), (1, 0.6), (2, 0.55))]
    assert lines(points, "pass", "nDCG@10") == lines(points, "pass", "nDCG@10")


def test_one_point_and_equal_points_make_a_chart() -> None:
    assert lines([Point(1, 0.5, "var(--tuned)")], "pass", "loss").startswith("<svg")
    assert intervals([BARS[0]._replace(low=0.5, high=0.5)], "points", zero=True).startswith("<svg")


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.1, 2.0, "gain"),
        (-2.0, -0.1, "loss"),
        (-1.0, 1.0, "soft"),
        (0.0, 1.0, "soft"),
        (None, None, "soft"),
    ],
)
def test_only_what_is_sure_has_a_colour(low: float | None, high: float | None, told: str) -> None:
    assert tone(low, high) == f"var(--{told})"
