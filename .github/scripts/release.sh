#!/usr/bin/env bash
# Publish the release that a registry tag such as retriever@v1.2.0 names: pull it, verify it, attach it.
set -euo pipefail
tag=$1
gto check-ref "$tag"
dvc pull models/release
argot verify
archive="${tag//@/-}.tar.gz"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C models -czf "$archive" release
gh release create "$tag" "$archive" --title "$tag" --notes-file models/release/README.md
