#!/usr/bin/env bash
# Is dvc.lock the record of a run of this very code, params and data? Needs no data: what is missing is taken as recorded.
#
# `dvc repro --dry` alone does not tell: for a stale lock it ends with 0 where the data lies here, and with 255 where not.
set -uo pipefail
told=$(dvc repro --dry --allow-missing 2>&1)
code=$?
stale=$(grep -oP "(?<=Running stage ')[^']+" <<< "$told" | paste -sd ' ')
if [ -n "$stale" ] || [ "$code" != 0 ]; then
    echo "dvc.lock is stale: ${stale:-$(tail -n 1 <<< "$told")}" >&2
    echo "Run 'dvc repro' (or the 'repro' workflow), then 'dvc push', and commit dvc.lock and reports/." >&2
    exit 1
fi
echo "dvc.lock is fresh."
