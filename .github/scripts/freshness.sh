#!/usr/bin/env bash
# Is dvc.lock the record of a run of this very code, params and data? Needs no data: what is missing is taken as recorded.
# Where nothing but documents changed, and `make refresh` ran, the release is fresh and its model is older: that is reported, and is no error.
#
# The exit code of `dvc repro --dry` alone is not enough: for a stale lock it ends with 0 where the data lies here, and with 255 where not.
set -uo pipefail

stale() { # stages that would run; an error's last line where there is one
    local output code
    output=$(dvc repro --dry --allow-missing "$@" 2>&1)
    code=$?
    grep -oP "(?<=Running stage ')[^']+" <<< "$output" | paste -sd ' ' | grep . || [ "$code" = 0 ] || tail -n 1 <<< "$output"
}

main=$(stale)
if [ -z "$main" ]; then
    echo "dvc.lock is fresh."
elif [ "$main" = ingest ] && [ -f refresh/dvc.lock ] && [ -z "$(stale --single-item refresh/dvc.yaml)" ]; then
    echo "refresh/dvc.lock is fresh; the model is older than the documents, until the next 'dvc repro'."
else
    echo "dvc.lock is stale: $main" >&2
    echo "Run 'dvc repro' (or the 'repro' workflow), then 'dvc push', and commit dvc.lock and reports/." >&2
    exit 1
fi
