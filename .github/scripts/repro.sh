#!/usr/bin/env bash
# One run on a runner, shared through the remote: pull what is known, run what is stale, push, and only then commit.
# What is committed can always be pulled: a commit that points at data nobody pushed is worse than none.
set -euo pipefail
if [ -f data/replies.dvc ]; then dvc pull data/replies.dvc; fi
dvc repro --pull --allow-missing
if [ -d data/replies ] && [ -n "$(find data/replies -type f -print -quit)" ]; then dvc add -q data/replies; fi
dvc push --run-cache
missing=$(dvc data status --not-in-remote --json | python -c 'import json, sys; print(*json.load(sys.stdin).get("not_in_remote", []))')
if [ -n "$missing" ]; then
    echo "not in the remote after the push: $missing" >&2
    exit 1
fi
git add dvc.lock reports
if [ -f data/replies.dvc ]; then git add data/replies.dvc data/.gitignore; fi
if git diff --cached --quiet; then
    echo "Nothing changed."
else
    git commit -qm "Record a run: $(git diff --cached --name-only | paste -sd ' ')"
fi
