#!/usr/bin/env bash
# Post or edit the comment that `pipeline` wrote: FOLDER holds number, body.md and pictures/.
# FOLDER was written by a pull request's code: nothing of it is run, and its number must be that of the very commit.
set -euo pipefail
folder=$1
number=$(head -c 20 "$folder/number")
[[ $number =~ ^[0-9]+$ ]] || { echo "not a pull request's number" >&2; exit 1; }
head=$(gh pr view "$number" --json headRefOid --jq .headRefOid)
[ "$head" = "$HEAD_SHA" ] || { echo "pull request $number has moved on from $HEAD_SHA" >&2; exit 1; }
if compgen -G "$folder/pictures/*.png" > /dev/null; then
    branch=argot-pictures
    git fetch -q origin "$branch" 2> /dev/null && git switch -q --detach FETCH_HEAD || git switch -q --orphan "$branch"
    mkdir -p "$number"
    for picture in "$folder"/pictures/*.png; do
        if [ "$(head -c 4 "$picture" | tail -c 3)" = PNG ] && [ ! -L "$picture" ]; then cp "$picture" "$number/"; fi
    done
    git add "$number"
    git -c user.name=argot -c user.email=argot@users.noreply.github.com commit -qm "Pictures of #$number" || true
    git push -q origin "HEAD:refs/heads/$branch"
fi
gh pr comment "$number" --edit-last --create-if-none --body-file "$folder/body.md"
