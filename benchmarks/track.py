"""How a race is run and kept: laps of both in turn, and the ratio of their medians."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

OURS = "argot"
Work = Callable[[], Any]


@dataclass
class Goal:
    """A peer, how many times as fast we mean to be, and why we are not where we are not."""

    work: Work
    ratio: float
    reason: str = ""


@dataclass
class Track:
    """Runs races, and keeps their outcome where the table is made from."""

    benchmark: Any
    rounds: int
    clock: Callable[[], float] = time.perf_counter
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def __call__(self, name: str, given: str, ours: Work, peers: dict[str, Goal]) -> None:
        """Race `ours` against `peers` in turns, after one lap that doesn't count."""
        self.seconds = {who: [] for who in (OURS, *peers)}

        def others() -> None:
            for who, goal in peers.items():
                self._time(who, goal.work)

        self.benchmark.pedantic(
            self._time, (OURS, ours), setup=others, rounds=self.rounds, warmup_rounds=1
        )
        laps = {who: seconds[1:] for who, seconds in self.seconds.items()}
        rows = [self._row(who, goal.ratio, goal.reason, laps) for who, goal in peers.items()]
        self._keep(name, given, rows)

    def once(
        self,
        name: str,
        given: str,
        ours: float,
        peer: str,
        theirs: float,
        ratio: float,
        reason: str = "",
    ) -> None:
        """Keep a race of minutes that the caller ran once, in seconds."""
        self.benchmark.pedantic(lambda: None)
        laps = {OURS: [ours], peer: [theirs]}
        self._keep(name, given, [self._row(peer, ratio, reason, laps)])

    def alone(self, name: str, given: str, work: Work, at_most: float) -> None:
        """Time what has no peer but a limit, in seconds."""
        self.seconds = {OURS: []}
        self.benchmark.pedantic(self._time, (OURS, work), rounds=self.rounds, warmup_rounds=1)
        self._limit(name, given, spread(np.array(self.seconds[OURS][1:])), at_most)

    def summed(self, name: str, given: str, seconds: float, at_most: float) -> None:
        """Keep a figure that was measured once, in parts."""
        self.benchmark.pedantic(lambda: None)
        self._limit(name, given, [seconds] * 3, at_most)

    def _limit(self, name: str, given: str, seconds: list[float], at_most: float) -> None:
        row = {"our_seconds": seconds, "at_most": at_most}
        self.benchmark.extra_info.update(race=name, given=given, rows=[row])
        print(f"\n{name}, {given}: {seconds[1]:.2f} s (at most {at_most:g})")

    def _keep(self, name: str, given: str, rows: list[dict[str, Any]]) -> None:
        self.benchmark.extra_info.update(race=name, given=given, rows=rows)
        for row in rows:
            print(
                f"\n{name}, {given}: {row['ratio']:.2f} times {row['peer']} (goal {row['goal']:g})"
            )

    def _time(self, who: str, work: Work) -> None:
        started = self.clock()
        work()
        self.seconds[who].append(self.clock() - started)

    def _row(
        self, peer: str, goal: float, reason: str, laps: dict[str, list[float]]
    ) -> dict[str, Any]:
        theirs, ours = np.array(laps[peer]), np.array(laps[OURS])
        ratio = float(np.median(theirs) / np.median(ours))
        return {
            "peer": peer,
            "ratio": ratio,
            "goal": goal,
            "reason": "" if ratio >= goal else reason,
            "peer_seconds": spread(theirs),
            "our_seconds": spread(ours),
        }


def spread(seconds: np.ndarray) -> list[float]:
    """Lower quartile, median and upper quartile."""
    return [float(value) for value in np.quantile(seconds, (0.25, 0.5, 0.75))]


def processor_seconds() -> float:
    """Processor seconds of this process and its children; other programs disturb them less."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
