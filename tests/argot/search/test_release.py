from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from argot.errors import InputError, ReleaseError
from argot.search.release import MANIFEST, check, inventory, read_manifest, sealed
from argot.search.retriever import Retriever
from tests.support.releases import reseal, without_tokens


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(sealed({**json.loads(path.read_text()), **changes})))


def test_a_whole_release_passes(release: Path) -> None:
    assert check(release).passages == 8


@pytest.mark.parametrize(
    "part",
    [
        "embedder/model.safetensors",
        "embedder/config.json",
        "index.faiss",
        "lexical/words.json",
        "tokens/codes.npy",
        "tokens/held.npy",
        "chunks.parquet",
        "README.md",
    ],
)
def test_one_changed_bit_is_refused_by_the_name_of_its_file(spoilt: Path, part: str) -> None:
    flip(spoilt / part)
    with pytest.raises(ReleaseError, match=f"{part} doesn't match its manifest .*dvc pull"):
        check(spoilt)


def test_one_changed_bit_in_any_file_is_found(spoilt: Path) -> None:
    for name in [*inventory(spoilt), MANIFEST]:
        flip(spoilt / name)
        with pytest.raises(ReleaseError, match=name):
            check(spoilt)
        flip(spoilt / name)
    check(spoilt)


def test_a_number_changed_in_the_manifest_is_found(spoilt: Path) -> None:
    path = spoilt / MANIFEST
    path.write_text(path.read_text().replace('"dense": 0.3', '"dense": 0.4'))
    with pytest.raises(ReleaseError, match=r"manifest.json was changed"):
        check(spoilt)


def test_the_other_models_weights_of_the_same_length_are_refused(made: Path, spoilt: Path) -> None:
    base, shipped = (
        made / "models" / "base" / "model.safetensors",
        spoilt / "embedder" / "model.safetensors",
    )
    assert base.stat().st_size == shipped.stat().st_size
    shutil.copyfile(base, shipped)
    with pytest.raises(
        ReleaseError,
        match=r"embedder/model.safetensors doesn't match its manifest \(other content\)",
    ):
        check(spoilt)


def test_a_file_cut_short_is_named_with_its_lengths(spoilt: Path) -> None:
    content = (spoilt / "index.faiss").read_bytes()
    (spoilt / "index.faiss").write_bytes(content[:-1])
    with pytest.raises(ReleaseError, match=f"{len(content) - 1} bytes, not {len(content)}"):
        check(spoilt)


def test_a_missing_file_is_named(spoilt: Path) -> None:
    (spoilt / "chunks.parquet").unlink()
    with pytest.raises(ReleaseError, match=r"chunks.parquet is missing; .*dvc pull"):
        check(spoilt)


def test_a_file_that_no_manifest_knows_is_refused(spoilt: Path) -> None:
    (spoilt / "embedder" / "adapter.safetensors").write_bytes(b"")
    with pytest.raises(ReleaseError, match=r"adapter.safetensors is in no manifest"):
        check(spoilt)


def test_hidden_files_of_the_system_do_no_harm(spoilt: Path) -> None:
    (spoilt / ".DS_Store").write_bytes(b"mac")
    check(spoilt)


@pytest.mark.parametrize("name", [".hidden.json", "embedder/.own.py", ".git/config.json"])
def test_other_hidden_files_are_refused(spoilt: Path, name: str) -> None:
    (spoilt / name).parent.mkdir(exist_ok=True)
    (spoilt / name).write_bytes(b"{}")
    with pytest.raises(ReleaseError, match=Path(name).name):
        check(spoilt)


def test_a_manifest_that_is_a_folder_is_told(spoilt: Path) -> None:
    (spoilt / MANIFEST).unlink()
    (spoilt / MANIFEST).mkdir()
    with pytest.raises(ReleaseError, match=r"manifest\.json is a folder"):
        check(spoilt)


@pytest.mark.parametrize("weights", [{"dense": 7.0}, {"dense": 0.5, "unknown": 0.5}])
def test_a_fusion_that_can_not_be_is_refused(spoilt: Path, weights: dict[str, float]) -> None:
    verdict = json.loads((spoilt / MANIFEST).read_text())["verdict"]
    fusion = {"method": "convex", "weights": weights}
    rewrite(spoilt, verdict={**verdict, "fusion": fusion, "calibration": None})
    with pytest.raises(ReleaseError, match="weights|no ranker 'unknown'"):
        check(spoilt)


@pytest.mark.parametrize(
    "name", ["embedder/pytorch_model.bin", "embedder/own.py", "lexical/index.pkl", "model.pt"]
)
def test_files_that_could_run_code_are_refused(spoilt: Path, name: str) -> None:
    (spoilt / name).write_bytes(b"")
    with pytest.raises(ReleaseError, match=f"{name}: only data files"):
        inventory(spoilt)


def test_a_link_is_refused(spoilt: Path) -> None:
    (spoilt / "notes.md").symlink_to(spoilt / "README.md")
    with pytest.raises(ReleaseError, match=r"notes\.md is a link"):
        inventory(spoilt)


def test_a_manifest_that_leaves_a_part_out_is_refused(spoilt: Path) -> None:
    shutil.rmtree(spoilt / "lexical")
    files = json.loads((spoilt / MANIFEST).read_text())["files"]
    rewrite(
        spoilt,
        files={name: file for name, file in files.items() if not name.startswith("lexical/")},
    )
    with pytest.raises(ReleaseError, match="has no lexical"):
        check(spoilt)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"dimension": "32"}, "dimension"), ({"kind": "tree"}, "kind"), ({"files": 3}, "files")],
)
def test_a_manifest_of_another_form_is_refused_by_its_key(
    spoilt: Path, changes: dict[str, object], message: str
) -> None:
    rewrite(spoilt, **changes)
    with pytest.raises(ReleaseError, match=f"manifest.json: {message}"):
        read_manifest(spoilt)


def test_a_manifest_of_a_later_format_asks_for_a_newer_argot(spoilt: Path) -> None:
    rewrite(spoilt, format=4)
    with pytest.raises(ReleaseError, match=r"of format 4, .*pip install -U argot-retrieval"):
        read_manifest(spoilt)


def test_fields_that_a_later_version_added_are_left_alone(spoilt: Path) -> None:
    before = read_manifest(spoilt)
    rewrite(spoilt, tokens={"bits": 8})
    assert check(spoilt).model_copy(update={"seal": before.seal}) == before


def test_a_manifest_of_version_0_1_is_read(tmp_path: Path) -> None:
    shutil.copyfile(Path(__file__).with_name("manifest_1.json"), tmp_path / MANIFEST)
    manifest = read_manifest(tmp_path)
    assert (manifest.passages, manifest.verdict.system) == (819, "base+bm25")
    assert manifest.verdict.fusion.weights == {"bm25": 0.45, "dense": 0.55}
    assert manifest.rankers == {"bm25": "lexical", "dense": "index.faiss"}
    content = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps({**content, "passages": 820}))
    with pytest.raises(ReleaseError, match=r"manifest.json was changed"):
        read_manifest(tmp_path)


def test_a_release_of_version_0_1_is_searched_as_it_was(spoilt: Path) -> None:
    without_tokens(spoilt)
    expected = Retriever.load(spoilt, device="cpu").search("pump seal")
    content = json.loads((spoilt / MANIFEST).read_text())
    verdict = {"model": "tuned", "verdict": "tuned", "mode": "fused"}
    verdict["fusion"] = {"method": "convex", "weight": 0.5}
    source = {"code": "0", "params": "0", "libraries": content.pop("libraries")}
    former = {**content, "format": 1, "verdict": verdict, "longest_question": 7, "source": source}
    del former["rankers"]
    (spoilt / MANIFEST).write_text(json.dumps(sealed(former)))
    assert Retriever.load(spoilt, device="cpu").search("pump seal") == expected


def test_a_release_without_tokens_is_searched_by_the_two_other_rankers(spoilt: Path) -> None:
    without_tokens(spoilt)
    retriever = Retriever.load(spoilt, device="cpu")
    assert {name for one in retriever.search("pump seal") for name in one.ranks} == {
        "bm25",
        "dense",
    }
    with pytest.raises(InputError, match="mode must be one of hybrid, bm25, dense, got 'tokens'"):
        retriever.search("pump seal", mode="tokens")


def test_a_calibration_of_other_rankers_is_refused(spoilt: Path) -> None:
    verdict = json.loads((spoilt / MANIFEST).read_text())["verdict"]
    del verdict["calibration"]["scores"]["tokens"]
    reseal(spoilt, verdict=verdict)
    with pytest.raises(ReleaseError, match="must be those of the fusion's rankers"):
        Retriever.load(spoilt)


def test_no_release_and_no_manifest_are_different_errors(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="doesn't exist"):
        check(tmp_path / "none")
    with pytest.raises(ReleaseError, match=r"has no manifest.json"):
        check(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(ReleaseError, match="JSON"):
        check(tmp_path)


def test_nothing_in_a_release_needs_pickle(release: Path) -> None:
    arrays = list(release.rglob("*.npy"))
    assert arrays
    for path in arrays:
        np.load(path, allow_pickle=False)
    kinds = {path.suffix for path in release.rglob("*") if path.is_file()}
    assert kinds <= {".faiss", ".json", ".md", ".npy", ".parquet", ".safetensors", ".txt"}
