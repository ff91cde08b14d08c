#!/bin/sh
# Refuses includes that break the dependency rules of the tree: lib/base knows nothing of the rest,
# lib/proto only lib/base, gateway/rtc only those, role folders never each other; and each external
# library stays in its one place.
failed=0
complain() { echo "layers: $1"; failed=1; }

includes_outside() { # folder, allowed pattern
    grep -Hn '^#include "' "$1"/*.[ch] 2>/dev/null | grep -Ev "#include \"($2)/"
}
check() { # folder, allowed pattern
    rows=$(includes_outside "$1" "$2")
    [ -z "$rows" ] || complain "$1 may include only $2:
$rows"
}
check lib/base 'lib/base'
check lib/proto 'lib/base|lib/proto'
check gateway/rtc 'lib/base|lib/proto|gateway/rtc'
check gateway/supervisor 'lib/base|lib/proto|gateway/supervisor'
check gateway/edge 'lib/base|lib/proto|gateway/rtc|gateway/edge'
check gateway/depay 'lib/base|lib/proto|gateway/depay'
check gateway/ingest 'lib/base|lib/proto|gateway/rtc|gateway/depay|gateway/ingest'
check gateway/ctl 'lib/base|lib/proto|gateway/ctl'
check transcode 'lib/base|lib/proto|transcode'
check auth 'lib/base|lib/proto|auth'
check web 'lib/base|lib/proto|web'

only_in() { # header pattern, allowed files
    rows=$(grep -rEln "#include <($1)" lib gateway transcode auth web --include='*.[ch]' |
        grep -Ev "^($2)\$")
    [ -z "$rows" ] || complain "<$1> belongs into $2, not into:
$rows"
}
only_in 'sqlite3\.h' 'auth/store\.c'
only_in 'microhttpd\.h' 'web/http[a-z_]*\.[ch]'
only_in 'srtp2/' 'gateway/rtc/srtp\.c'
only_in 'stun/|nice/' 'gateway/rtc/ice\.c'
only_in 'libav|libsw' 'transcode/[a-z0-9_]*\.[ch]'
only_in 'confuse\.h' 'gateway/supervisor/conf\.c'
only_in 'jansson\.h' '(auth|gateway/ctl|web)/[a-z_]*\.[ch]'
[ $failed -eq 0 ] && echo "layers: every include is where it may be"
exit $failed
