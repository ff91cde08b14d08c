#!/bin/sh
# Prints an assembler file that embeds the files given as arguments, and a table of them
# (struct assets_entry in assets.c): name without folder, first byte, end, content type.
# Usage: assets.sh FILE... > assets_data.S
set -eu

type_of() {
    case $1 in
    *.html) echo "text/html; charset=utf-8" ;;
    *.css) echo "text/css; charset=utf-8" ;;
    *.js | *.mjs) echo "text/javascript; charset=utf-8" ;;
    *.json) echo "application/json" ;;
    *.svg) echo "image/svg+xml" ;;
    *.png) echo "image/png" ;;
    *.ico) echo "image/x-icon" ;;
    *.woff2) echo "font/woff2" ;;
    *) echo "text/plain; charset=utf-8" ;;
    esac
}

echo '.section .rodata'
number=0
for file in "$@"; do
    case $file in
    *[!A-Za-z0-9._/+-]*)
        echo "assets.sh: cannot embed $file" >&2
        exit 1
        ;;
    esac
    printf '.Lname%d: .asciz "%s"\n' "$number" "${file##*/}"
    printf '.Ltype%d: .asciz "%s"\n' "$number" "$(type_of "$file")"
    printf '.balign 16\n.Lstart%d: .incbin "%s"\n.Lend%d: .byte 0\n' "$number" "$file" "$number"
    number=$((number + 1))
done

echo '.section .data.rel.ro, "aw"'
echo '.balign 8'
echo '.globl assets_table'
echo '.hidden assets_table'
echo 'assets_table:'
index=0
while [ "$index" -lt "$number" ]; do
    printf '.quad .Lname%d, .Lstart%d, .Lend%d, .Ltype%d\n' "$index" "$index" "$index" "$index"
    index=$((index + 1))
done
echo '.quad 0, 0, 0, 0'
echo '.section .note.GNU-stack, "", @progbits'
