#!/bin/sh
# Become one process of the Procfile: `deploy/process.sh web`. Containers then run what `make run` runs.
set -eu
cd "$(dirname "$0")/.."
command=$(sed -n "s/^$1: *//p" Procfile)
if [ -z "$command" ]; then
    echo "The Procfile has no process named $1." >&2
    exit 2
fi
eval "exec $command"
