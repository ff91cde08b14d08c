#!/bin/sh
# Cyclomatic complexity of every product function, by pmccabe: above 20 is refused (style.md: 15
# outside dispatch switches, which pmccabe counts case by case), and so is a file over 600 lines.
failed=0
rows=$(find lib gateway transcode auth web -name '*.c' | xargs pmccabe |
    awk -F'\t' '$1 > 20 {print $1 " " $6 " " $7}')
[ -z "$rows" ] || { echo "complexity above 20:"; echo "$rows"; failed=1; }
rows=$(find lib gateway transcode auth web -name '*.[ch]' | xargs wc -l |
    awk '$2 != "total" && $1 > 600 {print $1 " lines: " $2}')
[ -z "$rows" ] || { echo "longer than 600 lines:"; echo "$rows"; failed=1; }
[ $failed -eq 0 ] && echo "complexity: no function above 20, no file above 600 lines"
exit $failed
