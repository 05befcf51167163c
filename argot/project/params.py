"""params.yaml in an upgrade: new keys come with their comments, and a team's values stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import yaml

Path = tuple[str, ...]


class Merged(NamedTuple):
    """The text of the merged file, and what a person should know of it."""

    text: str
    notes: list[str]


def merged(ours: str, base: str, theirs: str) -> Merged:
    """Merge the team's params.yaml with the installed Argot's; `base` is what Argot wrote last.

    A key that the team did not change is as the installed Argot has it. One that both changed stays
    as the team's, and one that Argot has no longer goes: a stage refuses keys that it doesn't know.
    Both are named. Raises yaml.YAMLError where a text can't be read, or can't be merged.
    """
    mine, before, new = (dict(blocks(text)) for text in (ours, base, theirs))
    result, notes = [], []
    for path, text in mine.items():
        name, was, now = ".".join(path), before.get(path), new.get(path)
        if was is not None and now is None:
            notes.append(f"{name} is gone; it was {_value(text)}")
        elif now is None or text != was:
            result.append((path, text))
            if now not in (None, was, text):
                notes.append(f"{name} stays {_value(text)}; Argot's is {_value(now)} now")
        else:
            result.append((path, now))
            if _value(now) != _value(was):
                notes.append(f"{name} is {_value(now)} now; it was {_value(was)}")
    added = {path: text for path, text in new.items() if path not in before and path not in mine}
    notes += [f"{'.'.join(path)} is new: {_value(text)}" for path, text in added.items()]
    _insert(result, list(new), added)
    text = "".join(text for _, text in result)
    yaml.safe_load(text)
    return Merged(text, notes)


def blocks(text: str) -> Iterator[tuple[Path, str]]:
    """Each key's path with its lines and the comment above it; all blocks together are the text."""
    lines = [f"{line}\n" for line in text.splitlines()]
    keys = list(_keys(yaml.compose(text, yaml.SafeLoader), ()))
    starts = [_first_line(lines, line) for _, line in keys]
    for (path, _), start, end in zip(keys, starts, [*starts[1:], len(lines)], strict=True):
        yield path, "".join(lines[start:end])


def _keys(node: yaml.Node | None, above: Path) -> Iterator[tuple[Path, int]]:
    """Keys of mappings, each on a line of its own; one in {braces} is a part of a value."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        for key, value in node.value:
            path = (*above, str(key.value))
            yield path, key.start_mark.line
            yield from _keys(value, path)


def _first_line(lines: list[str], line: int) -> int:
    """Where the comment above a line begins."""
    while line and lines[line - 1].strip()[:1] in ("", "#"):
        line -= 1
    return line


def _insert(result: list[tuple[Path, str]], order: list[Path], added: dict[Path, str]) -> None:
    """Put each block of `added` behind the key that it follows in `order`."""
    at = 0
    for path in order:
        if path in added:
            # What the team added below the key before this one stays below it.
            while at < len(result) and len(result[at][0]) > len(path):
                at += 1
            result.insert(at, (path, added[path]))
        at = next((n + 1 for n, (other, _) in enumerate(result) if other == path), at)


def _value(block: str) -> str:
    """A key's value as its lines say, in one, without comment and name."""
    lines = [line.strip() for line in block.splitlines() if line.strip()[:1] not in ("", "#")]
    return " ".join(lines).partition(":")[2].strip() or "a section"
