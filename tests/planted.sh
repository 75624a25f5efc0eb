#!/usr/bin/env bash
# Plants known bugs, one at a time, in a copy of the tree, and demands that the simulation catches each within a minute of seeds; or two,
# as the program is not optimised, which takes twice the time for a seed and a third of it to compile.
#
#   tests/planted.sh            all of them
#   tests/planted.sh 3 17       three, beginning with the 17th: CI passes the day, so that they take turns
#
# A bug may name the shops it can do harm in (`shops`, options of `simulate`): of all shops there are too few of them in a minute.
#
# The copy shares the target directory, so that only the package itself is compiled anew, and after the first only what its bug changes;
# its program has a name of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-$PWD/target}"
tree="$target/planted"

mapfile -t all < <(find tests/planted -name '*.toml' | sort)
count="${1:-${#all[@]}}"
first="${2:-0}"

plant() {
    python3 - "$1" "$tree" <<'PYTHON'
import pathlib, sys, tomllib
bug = tomllib.loads(pathlib.Path(sys.argv[1]).read_text())
path = pathlib.Path(sys.argv[2]) / bug["file"]
text = path.read_text()
found = text.count(bug["line"])
if found != 1:
    sys.exit(f"{sys.argv[1]}: its line stands {found} times in {bug['file']}, not once: plant it anew")
path.write_text(text.replace(bug["line"], bug["replacement"]))
print(bug["what"])
PYTHON
}

shops() {
    python3 -c 'import pathlib, sys, tomllib; print(*tomllib.loads(pathlib.Path(sys.argv[1]).read_text()).get("shops", []))' "$1"
}

missed=0
for ((turn = 0; turn < count; turn++)); do
    bug="${all[$(((first + turn) % ${#all[@]}))]}"
    rm -rf "$tree"
    mkdir -p "$tree"
    cp -r Cargo.toml Cargo.lock src "$tree"
    printf '\n[[bin]]\nname = "payjournal-planted"\npath = "src/main.rs"\n' >>"$tree/Cargo.toml"
    sed -i 's/^default-run = .*/default-run = "payjournal-planted"/; s/^autobins.*//' "$tree/Cargo.toml"
    printf '%s: ' "$(basename "$bug" .toml)"
    plant "$bug"
    CARGO_INCREMENTAL=1 cargo build --quiet --manifest-path "$tree/Cargo.toml" --target-dir "$target" --bin payjournal-planted 2>"$target/planted.log" || {
        cat "$target/planted.log"
        exit 1
    }
    code=0
    read -ra kind <<<"$(shops "$bug")"
    "$target/debug/payjournal-planted" simulate --seconds 120 "${kind[@]}" --json >"$target/planted.json" || code=$?
    if [ "$code" -eq 70 ]; then
        sed -n 's/^ *"invariant": "\(.*\)",$/    caught: \1/p' "$target/planted.json" | head -n 1
    else
        echo "    MISSED (exit $code)"
        missed=$((missed + 1))
    fi
done
rm -rf "$tree"
[ "$missed" -eq 0 ] || { echo "$missed planted bugs were not caught" >&2; exit 1; }
