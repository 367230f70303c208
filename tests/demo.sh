#!/bin/sh
# The whole way on one machine: deploy to the local cloud, caption a picture, take everything down.
# Needs `lambdacap` with its extra `local` on the PATH. Run it by `make demo`.
set -eu
cd "$(dirname "$0")/.."
export LAMBDACAP_NAME=lambdacap-demo

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

folder=$(mktemp -d)
finish() {
    status=$?
    rm -rf "$folder"
    # After a failure or Ctrl-C too, nothing may stay behind.
    [ $status -eq 0 ] || lambdacap teardown --local --yes || true
}
trap finish EXIT
trap 'exit 130' INT TERM

printf '$ lambdacap demo scene.jpg\n'
lambdacap demo "$folder/scene.jpg"
run lambdacap deploy --local --no-docker
printf '\n$ lambdacap invoke scene.jpg\n'
lambdacap invoke "$folder/scene.jpg"
run lambdacap teardown --yes
run lambdacap local status
