"""Releases that stand in a DVC repository elsewhere, at any of its revisions."""

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
    """Bring models/release of `repository` at `rev` (a tag, branch or commit) here; return its folder.

    It is kept by the hash of its manifest under `cache` (the user's cache folder), so the same release comes once.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from platformdirs import user_cache_path
    from scmrepo.exceptions import SCMError

    where = f"{repository}@{rev}" if rev else repository
    try:
        files = DVCFileSystem(repository, rev=rev)
        manifest = files.cat_file(f"{INSIDE}/{MANIFEST}")
        folder = (
            (cache or user_cache_path("argot"))
            / "releases"
            / hashlib.sha256(manifest).hexdigest()[:16]
        )
        if not folder.exists():
            with replacing_folder(folder) as beside:
                for file in files.find(INSIDE):
                    name = Path(file).relative_to(
                        INSIDE if not file.startswith("/") else f"/{INSIDE}"
                    )
                    (beside / name).parent.mkdir(parents=True, exist_ok=True)
                    files.get_file(file, str(beside / name))
    except FileNotFoundError:
        raise ReleaseError(
            f"{where} has no {INSIDE} that can be had; was it pushed? (dvc push)"
        ) from None
    except (DvcException, SCMError, OSError) as error:
        raise ReleaseError(f"{where}: {' '.join(str(error).split())[:200]}") from None
    return folder
