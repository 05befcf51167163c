"""Releases of another DVC repository, at any of its revisions."""

from __future__ import annotations

import hashlib
from pathlib import Path

from argot.core.files import replacing_folder
from argot.errors import ReleaseError
from argot.search.release import MANIFEST

INSIDE = "models/release"


def is_remote(place: str | Path) -> bool:
    """Is this the address of a git repository, not a folder here?"""
    return "://" in str(place) or str(place).startswith("git@")


def fetch(repository: str, rev: str | None, cache: Path | None = None) -> Path:
    """Download models/release of `repository` at `rev`, a tag, branch or commit; return its folder.

    It is kept under `cache` (the user's cache folder) by the hash of its manifest, so that the same
    release is downloaded once. ReleaseError where there is none, or it can't be read.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from scmrepo.exceptions import SCMError

    where = f"{repository}@{rev}" if rev else repository
    try:
        files = DVCFileSystem(repository, rev=rev)
        manifest = files.cat_file(f"{INSIDE}/{MANIFEST}")
        key = hashlib.sha256(manifest).hexdigest()[:16]
        folder = _releases(cache) / key
        if not folder.exists():
            with replacing_folder(folder) as beside:
                for file in files.find(INSIDE):
                    # DVC lists files with or without a slash in front.
                    name = Path(file.removeprefix("/")).relative_to(INSIDE)
                    (beside / name).parent.mkdir(parents=True, exist_ok=True)
                    files.get_file(file, str(beside / name))
    except FileNotFoundError:
        raise ReleaseError(
            f"{where} has no {INSIDE} that can be had; was it pushed? (dvc push)"
        ) from None
    except (DvcException, SCMError, OSError) as error:
        raise ReleaseError(f"{where}: {' '.join(str(error).split())[:200]}") from None
    return folder


def kept_releases() -> list[Path]:
    """The folders of all releases that this user downloaded."""
    return sorted(path for path in _releases(None).glob("*") if path.is_dir())


def _releases(cache: Path | None) -> Path:
    from platformdirs import user_cache_path

    return (cache or user_cache_path("argot")) / "releases"
