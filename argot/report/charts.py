"""The report's charts: Vega-Lite specifications drawn as SVG, without a network, the same bytes for the same figures.

Colours are CSS variables of the page that holds the drawing, so that one drawing serves light, dark and paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

WHOLE = 380
ROW = 26
NAMES, VALUES = 112, 84  # room for names at the left and numbers at the right
TICK = 45  # room for a number below an axis
AXIS = {
    "domain": False,
    "ticks": False,
    "labelColor": "var(--soft)",
    "titleColor": "var(--soft)",
    "gridColor": "var(--line)",
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "labelPadding": 6,
    "tickCount": 4,
}
# The font decides only where text is placed: the page's style sheet puts its own in.
LOOK: dict[str, Any] = {"font": "Liberation Sans", "view": {"stroke": None}, "axis": AXIS}


class Bar(NamedTuple):
    """A value with its interval; where the interval isn't known, `low` and `high` are None."""

    label: str
    value: float
    low: float | None
    high: float | None
    tone: str
    text: str


class Point(NamedTuple):
    """A point of a line; `tone` names the line's colour."""

    x: float
    y: float
    tone: str
    dashed: bool = False


def intervals(bars: Sequence[Bar], title: str, zero: bool = False, names: int = NAMES) -> str:
    """A row for each value: its name, a dot on its interval, the number; `zero` draws the line of no difference.

    `names` is the room for the names; what is longer is cut.
    """
    width = WHOLE - names - VALUES
    low, high = _reach(
        [end for bar in bars for end in (bar.value, bar.low, bar.high) if end is not None], zero
    )
    scale = {"domain": [low, high], "nice": False, "zero": False}
    x = {
        "type": "quantitative",
        "title": title,
        "scale": scale,
        "axis": {"tickCount": width // TICK},
    }
    axis = {
        "labelColor": "currentColor",
        "labelFontSize": 13,
        "labelLimit": names - 8,
        "grid": False,
    }
    y = {
        "field": "label",
        "type": "nominal",
        "title": None,
        "scale": {"domain": [bar.label for bar in bars]},
        "axis": {**axis, "minExtent": names, "maxExtent": names},
    }
    color = {"field": "tone", "type": "nominal", "scale": None}
    layers: list[dict[str, Any]] = [
        {
            "transform": [{"filter": "datum.low !== null"}],
            "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.45, "strokeCap": "round"},
            "encoding": {
                "x": {**x, "field": "low"},
                "x2": {"field": "high"},
                "y": y,
                "color": color,
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "encoding": {"x": {**x, "field": "value"}, "y": y, "color": color},
        },
        {
            "mark": {
                "type": "text",
                "align": "left",
                "fontSize": 12,
                "baseline": "middle",
                "color": "currentColor",
            },
            "encoding": {
                "x": {"value": width + 10},
                "y": y,
                "text": {"field": "text", "type": "nominal"},
            },
        },
    ]
    if zero:
        mark = {"type": "rule", "color": "var(--soft)", "strokeDash": [2, 3]}
        layers.insert(
            0,
            {
                "data": {"values": [{"at": 0}]},
                "mark": mark,
                "encoding": {"x": {**x, "field": "at"}},
            },
        )
    rows = [bar._asdict() for bar in bars]
    padding = {"left": 0, "right": VALUES, "top": 4, "bottom": 4}
    height = {"step": ROW}
    return _drawn(
        {
            "data": {"values": rows},
            "width": width,
            "height": height,
            "padding": padding,
            "layer": layers,
        }
    )


def lines(
    points: Iterable[Point], x_title: str, y_title: str, marks: Mapping[float, str] | None = None
) -> str:
    """Lines by tone, with their points; `marks` draws a vertical line at x in a tone."""
    rows = [{**point._asdict(), "line": f"{point.tone}{point.dashed}"} for point in points]
    low, high = _reach([row["y"] for row in rows], zero=False)
    places = sorted({row["x"] for row in rows})
    ticks = places if len(places) <= 6 else places[:: len(places) // 4]
    x = {"type": "quantitative", "scale": {"nice": False, "zero": False}}
    axis = {
        "values": ticks,
        "grid": False,
        "tickCount": len(ticks),
        "labelExpr": "'' + datum.value",
    }
    encoding = {
        "x": {**x, "field": "x", "title": x_title, "axis": axis},
        "y": {
            "field": "y",
            "type": "quantitative",
            "title": y_title,
            "scale": {"domain": [low, high], "nice": False},
            "axis": {"minExtent": 38, "maxExtent": 38},
        },
        "color": {"field": "tone", "type": "nominal", "scale": None},
        "detail": {"field": "line", "type": "nominal"},
        "strokeDash": {"condition": {"test": "datum.dashed", "value": [3, 3]}, "value": [1, 0]},
    }
    dots = 36 if len(places) <= 12 else 0
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": encoding},
        {
            "mark": {"type": "point", "filled": True, "size": dots, "opacity": 1},
            "encoding": {
                name: channel for name, channel in encoding.items() if name != "strokeDash"
            },
        },
    ]
    if marks:
        stands = [{"x": at, "tone": tone} for at, tone in sorted(marks.items())]
        upright = {"x": {**x, "field": "x"}, "color": encoding["color"]}
        mark = {"type": "rule", "strokeWidth": 1.5, "strokeDash": [2, 3]}
        layers.insert(0, {"data": {"values": stands}, "mark": mark, "encoding": upright})
    padding = {"left": 0, "right": 12, "top": 6, "bottom": 4}
    return _drawn(
        {
            "data": {"values": rows},
            "height": 170,
            "width": WHOLE - 68,
            "padding": padding,
            "layer": layers,
        }
    )


def tone(low: float | None, high: float | None) -> str:
    """The colour of a difference: what is surely better, surely worse, or neither."""
    if low is None or high is None or low <= 0 <= high:
        return "var(--soft)"
    return "var(--gain)" if low > 0 else "var(--loss)"


def _reach(values: Sequence[float], zero: bool) -> tuple[float, float]:
    """The ends of an axis: all values with a little air, and room for at least one point between them."""
    low, high = (
        min([*values, *([0.0] if zero else [])], default=0.0),
        max([*values, *([0.0] if zero else [])], default=1),
    )
    air = max(0.06 * (high - low), 0.005)
    return low - air, high + air


def _drawn(spec: dict[str, Any]) -> str:
    import vl_convert

    schema = "https://vega.github.io/schema/vega-lite/v6.json"
    whole = {"$schema": schema, "background": None, "config": LOOK, **spec}
    return str(vl_convert.vegalite_to_svg(whole, vl_version="6.4"))
