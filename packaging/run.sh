#!/bin/sh
# Starts a gateway for one person at one machine and prints the links: run.sh, called by `make run`.
# PORT, STATE and LISTEN come from the environment. Links go to standard output, logs to standard
# error; sluiced takes this shell's place, so that signals reach it directly.
set -eu
: "${PORT:=8080}" "${STATE:=state}" "${LISTEN:=127.0.0.1}" "${BUILD:=build}"

case $LISTEN in
127.* | ::1) scheme=http ;;
*) scheme=https ;;
esac
host=$LISTEN
case $LISTEN in
0.0.0.0) host=$(hostname -I 2>/dev/null | cut -d' ' -f1); host=${host:-127.0.0.1} ;;
*:*) host="[$LISTEN]" ;;
esac

set -- --state "$STATE" --listen "$LISTEN" --port "$PORT"
if [ $scheme = https ]; then
    mkdir -p "$STATE" && chmod 700 "$STATE"
    name=${host#[} name=${name%]}
    if [ ! -e "$STATE/tls.key" ] || [ "$(cat "$STATE/tls.host" 2>/dev/null)" != "$name" ]; then
        rm -f "$STATE/tls.key" "$STATE/tls.crt"
        (umask 277 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -keyout "$STATE/tls.key" -out "$STATE/tls.crt" -days 365 -subj "/CN=$name" \
            -addext "subjectAltName=IP:$name,IP:127.0.0.1,DNS:localhost" 2>/dev/null)
        echo "$name" >"$STATE/tls.host"
    fi
    set -- "$@" --tls-certificate "$STATE/tls.crt" --tls-key "$STATE/tls.key"
fi

print_links() {
    json=$("$BUILD/sluicectl" --state "$STATE" --wait 30 token create --stream demo \
        --label "make run" --max-duration 1h --expires 1h --json) || exit 1
    token=$(printf '%s' "$json" | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')
    base=$scheme://$host:$PORT
    printf 'publish: %s/publish/demo#t=%s\n' "$base" "$token"
    printf 'watch:   %s/watch/demo\n' "$base"
    printf 'whip:    %s/whip/demo\n' "$base"
    printf 'token:   %s\n' "$token"
    printf 'hls:     %s/live/demo/index.m3u8\n' "$base"
}
(print_links &) # not a child of sluiced, which would not ask for its end
exec "$BUILD/sluiced" "$@"
