"""Tests of one group run on one worker, where what they share is made once."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("pipeline")
def test_the_scheduler_knows_a_tests_group(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("loadgroup", False):
        assert request.node.nodeid.endswith("@pipeline")
