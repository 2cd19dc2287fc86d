#!/bin/sh
# Runs every fuzz target, one after the other, each for FUZZTIME (20s if it is not set; "1000x" is a number of runs), or those
# that are named:
#
#   FUZZTIME=5m scripts/fuzz.sh FuzzBoard FuzzLoad
#
# What is new is not reduced (-fuzzminimizetime 1x): by default go spends a minute on each such input, which for an archive of
# some kilobytes is all the time there is. An input that fails is kept in the package's testdata/fuzz, as a case for go test.
set -eu
cd "$(dirname "$0")/.."
GO=${GO:-go}
time=${FUZZTIME:-20s}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
trap 'exit 1' HUP INT TERM

# targets prints "PACKAGE TARGET" lines.
targets() {
	$GO test -list '^Fuzz' ./... |
		awk '$1 ~ /^Fuzz/ { name[++n] = $1 } $1 == "ok" { for (i = 1; i <= n; i++) if (!seen[$2 " " name[i]]++) print $2, name[i] } $1 == "ok" || $1 == "?" { n = 0 }'
}

failed=0
for target in $(targets | tr ' ' :); do
	name=${target#*:}
	case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
	if $GO test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 1x "${target%:*}" >"$out" 2>&1; then
		echo "ok    ${target%:*} $name $(sed -n 's/.*\(execs: [0-9]*\) .*\(new interesting: [0-9]*\).*/\1, \2/p' "$out" | tail -n 1)"
	else
		echo "FAIL  ${target%:*} $name"
		cat "$out"
		failed=$((failed + 1))
	fi
done
[ $failed = 0 ]
