from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from argot.encoding.store.vectors import (
    Vectors,
    cut,
    key,
    read_vectors,
    save_array,
    write_vectors,
)
from argot.errors import InputError, ParamsError
from tests.support.limits import room

TEXTS = ["oil the pump", "rinse the tin", "close the hatch"]


def store() -> Vectors:
    return Vectors(
        list(map(key, TEXTS)), np.eye(3, 4, dtype=np.float32), np.array([False, True, False])
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_vectors(tmp_path / "made", store())
    found = read_vectors(tmp_path / "made")
    assert found.keys == store().keys
    assert found.truncated.tolist() == [False, True, False]
    assert np.array_equal(found.of([TEXTS[2], TEXTS[0]]), np.eye(3, 4, dtype=np.float32)[[2, 0]])


def test_some_are_taken_with_all_that_is_known_of_them() -> None:
    some = store().take([2, 1])
    assert some.keys == [key(TEXTS[2]), key(TEXTS[1])]
    assert some.truncated.tolist() == [False, True]
    assert np.array_equal(some.of([TEXTS[1]]), store().of([TEXTS[1]]))


def test_a_text_without_a_vector_is_named() -> None:
    with pytest.raises(
        InputError, match=r"no vector is stored for the text 'paint'; run `dvc repro`"
    ):
        store().of([TEXTS[0], "paint"])


def test_parts_that_do_not_match_are_refused(tmp_path: Path) -> None:
    write_vectors(tmp_path / "made", store())
    np.save(tmp_path / "made/vectors.npy", np.eye(2, 4, dtype=np.float32))
    with pytest.raises(InputError, match=r"made: 3 keys but vectors of shape \(2, 4\)"):
        read_vectors(tmp_path / "made")


def test_cut_vectors_have_length_one_and_no_more_dimensions_than_there_are() -> None:
    whole = np.array([[3, 4, 12, 84]], dtype=np.float32) / 85
    assert np.allclose(cut(whole, 2), [[0.6, 0.8]])
    assert np.array_equal(cut(whole, 0), whole)
    with pytest.raises(ParamsError, match=r"index\.dim: 5 is more than the model's 4"):
        cut(whole, 5)


@pytest.mark.parametrize("count", [1, 100, 100_000])
def test_an_array_is_written_whole_or_an_error(tmp_path: Path, count: int) -> None:
    values = np.arange(count, dtype=np.float32)
    np.save(tmp_path / "numpy.npy", values)
    size = (tmp_path / "numpy.npy").stat().st_size
    with room(size):
        save_array(tmp_path / "ours.npy", values)
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    for short in (0, size // 2, size - 1):
        with room(short), pytest.raises(OSError, match="File too large"):
            save_array(tmp_path / "short.npy", values)
