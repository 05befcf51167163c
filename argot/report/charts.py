"""The report's charts, drawn as SVG from Vega-Lite specifications, without a network.

The same figures give the same bytes. Colours are CSS variables of the page around the drawing, so
that one drawing serves the light and the dark theme and print.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

# All in pixels.
WHOLE = 380  # width of a chart
ROW = 26  # height of a row of `intervals`
NAMES, VALUES = 112, 84  # width of the names at the left and of the numbers at the right
TICK = 45  # width of a number below an axis
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
# Vega measures text in this font to place it; the page then shows it in the page's own font.
LOOK: dict[str, Any] = {"font": "Liberation Sans", "view": {"stroke": None}, "axis": AXIS}


class Bar(NamedTuple):
    """A value with its interval; `low` and `high` are None where the interval is not known."""

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
    """A row for each value: its name, a dot on its interval, and the number.

    `zero` draws a line at no difference. `names` is the width of the names in pixels; longer names
    are cut.
    """
    width = WHOLE - names - VALUES
    ends = [end for bar in bars for end in (bar.value, bar.low, bar.high) if end is not None]
    low, high = _domain([*ends, 0.0] if zero else ends)
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
    layers = _interval_layers(x, y, width)
    if zero:
        mark = {"type": "rule", "color": "var(--soft)", "strokeDash": [2, 3]}
        at_zero = {"data": {"values": [{"at": 0}]}, "mark": mark}
        layers.insert(0, {**at_zero, "encoding": {"x": {**x, "field": "at"}}})
    return _drawn(
        {
            "data": {"values": [bar._asdict() for bar in bars]},
            "width": width,
            "height": {"step": ROW},
            "padding": {"left": 0, "right": VALUES, "top": 4, "bottom": 4},
            "layer": layers,
        }
    )


def _interval_layers(x: dict[str, Any], y: dict[str, Any], width: int) -> list[dict[str, Any]]:
    """The layers of `intervals`, from back to front: the interval, the dot, the number."""
    color = {"field": "tone", "type": "nominal", "scale": None}
    return [
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


def lines(
    points: Iterable[Point], x_title: str, y_title: str, marks: Mapping[float, str] | None = None
) -> str:
    """One line for each tone, with its points; `marks` draws a vertical line at x in a tone."""
    rows = [{**point._asdict(), "line": f"{point.tone}{point.dashed}"} for point in points]
    low, high = _domain([row["y"] for row in rows])
    xs = sorted({row["x"] for row in rows})
    ticks = xs if len(xs) <= 6 else xs[:: len(xs) // 4]
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
    dots = 36 if len(xs) <= 12 else 0  # area of a point; many points would hide the line
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
        places = [{"x": at, "tone": tone} for at, tone in sorted(marks.items())]
        upright = {"x": {**x, "field": "x"}, "color": encoding["color"]}
        mark = {"type": "rule", "strokeWidth": 1.5, "strokeDash": [2, 3]}
        layers.insert(0, {"data": {"values": places}, "mark": mark, "encoding": upright})
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
    """The colour of a difference: significantly better, significantly worse, or neither."""
    if low is None or high is None or low <= 0 <= high:
        return "var(--soft)"
    return "var(--gain)" if low > 0 else "var(--loss)"


def _domain(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis: all values, and a margin that is never empty."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = max(0.06 * (high - low), 0.005)
    return low - margin, high + margin


def _drawn(spec: dict[str, Any]) -> str:
    import vl_convert

    schema = "https://vega.github.io/schema/vega-lite/v6.json"
    whole = {"$schema": schema, "background": None, "config": LOOK, **spec}
    return str(vl_convert.vegalite_to_svg(whole, vl_version="6.4"))
