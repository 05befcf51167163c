from pathlib import Path

import pytest
import yaml
from dvc.utils.serialize import load_yaml

from argot.core.params import PARAMS, SHARED, SHARED_KEYS, Settings, SomeSettings, load
from argot.errors import ParamsError

ROOT = Path(__file__).resolve().parents[3]


class Inner(Settings):
    rate: float


class Outer(Settings):
    max_words: int
    inner: Inner


def written(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ParamsError) as error:
        load("outer", Outer, written(folder, text))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_section_is_read_into_its_settings(tmp_path: Path) -> None:
    path = written(tmp_path, "outer: {max_words: 128, inner: {rate: 0.5}}")
    assert load("outer", Outer, path) == Outer(max_words=128, inner=Inner(rate=0.5))
    assert load("outer.inner", Inner, path).rate == 0.5


def test_an_unknown_key_names_the_nearest_known_one(tmp_path: Path) -> None:
    message = refusal(tmp_path, "outer: {max_wrods: 1, max_words: 1, inner: {rate: 1.0}}")
    assert "outer.max_wrods: unknown key; did you mean 'max_words'?" in message


def test_an_unknown_key_of_a_nested_section_lists_that_sections_keys(tmp_path: Path) -> None:
    assert "known keys: rate" in refusal(
        tmp_path, "outer: {max_words: 1, inner: {rate: 1.0, zzz: 2}}"
    )


def test_an_unknown_key_of_the_shared_section_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "machine: {devise: cpu, device: cpu}")
    with pytest.raises(ParamsError, match=r"machine\.devise: unknown key; did you mean 'device'"):
        load("machine", SomeSettings, path)


def test_the_keys_of_the_shared_section_are_those_of_params() -> None:
    content = yaml.safe_load((ROOT / PARAMS).read_text())
    assert content[SHARED].keys() == SHARED_KEYS


def test_a_mistyped_value_is_named(tmp_path: Path) -> None:
    assert "outer.max_words" in refusal(tmp_path, "outer: {max_words: many, inner: {rate: 1.0}}")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    assert "outer.inner: missing" in refusal(tmp_path, "outer: {max_words: 1}")


def test_an_exponent_without_a_point_is_refused_with_the_right_spelling(tmp_path: Path) -> None:
    message = refusal(tmp_path, "outer: {max_words: 1, inner: {rate: 1e-3}}")
    assert "outer.inner.rate" in message and "write 1.0e-3" in message


@pytest.mark.parametrize("key", ["size", "nfiles"])
def test_a_key_that_the_run_cache_does_not_see_is_refused(tmp_path: Path, key: str) -> None:
    assert f"outer.inner.{key}" in refusal(tmp_path, f"outer: {{inner: {{{key}: 1}}}}")


def test_a_missing_section_a_missing_file_and_broken_yaml_are_told(tmp_path: Path) -> None:
    assert "section 'outer' is missing" in refusal(tmp_path, "other: {}")
    with pytest.raises(ParamsError, match="is missing; run from the root"):
        load("outer", Outer, tmp_path / "nowhere.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("outer:\n  - [", encoding="utf-8")
    with pytest.raises(ParamsError, match="line 2: not valid YAML"):
        load("outer", Outer, broken)


def test_pyyaml_and_dvc_read_the_projects_params_alike() -> None:
    path = ROOT / "params.yaml"
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == load_yaml(str(path))


@pytest.mark.parametrize("number", ["4294967297", "-1.0e+10", ".inf", ".nan", "1" + 40 * "0"])
def test_a_number_that_no_param_can_be_is_refused(tmp_path: Path, number: str) -> None:
    assert "outer.inner.rate: expected at most" in refusal(
        tmp_path, f"outer: {{max_words: 1, inner: {{rate: {number}}}}}"
    )


def test_half_a_pair_of_surrogates_is_refused(tmp_path: Path) -> None:
    assert "outer.name: half a pair" in refusal(tmp_path, r'outer: {name: "\ud800"}')
