#!/bin/sh
# From an empty folder to an API on one machine, and back: init, run, serve, deploy, invoke, teardown.
# Needs `lambdacap` with its extra `local` and curl on the PATH. Run it by `make demo-own`.
set -eu
export LAMBDACAP_NAME=lambdacap-demo-own

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

folder=$(mktemp -d)
server=
finish() {
    status=$?
    [ -z "$server" ] || kill -INT "$server" 2>/dev/null || true
    # After a failure or Ctrl-C too, nothing may stay behind.
    [ $status -eq 0 ] || lambdacap teardown --local --yes || true
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT TERM
cd "$folder"

printf '$ lambdacap init my-model --template text\n'
lambdacap init my-model --template text
printf '\n$ cd my-model\n'
cd my-model
run lambdacap run examples/waves.txt -i top=2

# A background process of a shell is deaf to Ctrl-C, which is why it ends by SIGTERM.
printf '\n$ lambdacap serve &\n'
lambdacap serve --port 0 >"$folder/url" &
server=$!
while [ ! -s "$folder/url" ]; do sleep 0.1; done
url=$(cat "$folder/url")
post() { curl --silent --show-error --fail --data-binary @examples/waves.txt --header 'Content-Type: text/plain' "$1?top=1"; }
printf '\n$ curl --data-binary @examples/waves.txt --header "Content-Type: text/plain" "%s?top=1"\n' "$url"
post "$url"
printf '\n\n$ sed -i "s/4,/1,/" predictor.py\n'
sed 's/4,/1,/' predictor.py >"$folder/changed" && cp "$folder/changed" predictor.py
# Taken up within a second: now shorter words count, too.
tries=0
until post "$url" | grep -q '"the"'; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || exit 1
    sleep 0.1
done
post "$url"
printf '\n\n$ kill %%1\n'
kill "$server"
wait "$server"
server=

run lambdacap deploy --local --no-docker
run lambdacap invoke examples/waves.txt -i top=1
run lambdacap teardown --yes
run lambdacap local status
