"""Fixtures that several test files share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import index
from tests.support.rights import make_release
from tests.support.warm import put_first, warm
from tools.tiny.release import make_inputs

# The groups of tests that last for minutes, the longest first.
LONG = ("soak", "pipeline", "tutorial", "loop", "studies", "verdict", "page")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long groups: a worker that begins one at the end keeps all others waiting."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    mark = item.get_closest_marker("xdist_group")
    return LONG.index(mark.args[0]) if mark and mark.args[0] in LONG else len(LONG)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny pipeline's files up to models/release/: for reading only."""
    root = tmp_path_factory.mktemp("made")
    make_inputs(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        index.main()
    return root


@pytest.fixture
def release(made: Path) -> Path:
    """The tiny release, for reading only."""
    return made / "models" / "release"


@pytest.fixture(scope="session")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny release with access rights (tests.support.rights), for reading only."""
    return make_release(tmp_path_factory.mktemp("restricted"))


@pytest.fixture
def spoilt(made: Path, tmp_path: Path) -> Path:
    """A copy of the tiny release, to be spoilt."""
    return Path(shutil.copytree(made / "models" / "release", tmp_path / "release"))


@pytest.fixture
def inputs(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the whole folder, and the working directory of the test."""
    root = Path(shutil.copytree(made, tmp_path / "root"))
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="session")
def warm_programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with warm(tmp_path_factory.mktemp("warm")) as programs:
        yield programs


@pytest.fixture
def warm_start(warm_programs: str) -> Iterator[None]:
    """`dvc` and the stages start warm, for tests that are not about processes."""
    with put_first(warm_programs):
        yield


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[str]:
    """The address of Ray on two nodes of one core each, as two machines would be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(Path(index.__file__).parents[1]))
        from ray.cluster_utils import Cluster

        nodes = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        nodes.add_node(num_cpus=1)
    yield nodes.address
    nodes.shutdown()


@pytest.fixture
def cluster(two_nodes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two nodes are the cluster that `machine.engine: ray` joins."""
    monkeypatch.setenv("RAY_ADDRESS", two_nodes)
