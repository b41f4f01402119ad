#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Python suite under several interpreters, each in its own environment beside the main one.
#
#     tools/test-pythons.sh .venv python3.9 python3.13
#
# All of them test the same wheel, in build/wheel. An interpreter is a path, or looked up on the path and among pyenv's
# versions; one that is not found is skipped with a notice. The status is 0 if at least one was found and the suite
# passed under each.
set -uo pipefail
cd "$(dirname "$0")/.."

venv=$1
shift

# Print the interpreter's path. A name on the path may be pyenv's shim, which exists for unselected versions too.
find_python() {
    local candidate
    for candidate in "$(command -v "$1")" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"${1#python}".*/bin/"$1"; do
        if [ -n "$candidate" ] && "$candidate" -c '' 2> /dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

suite() {
    local environment=$venv-${1//\//-}
    local bin=$environment/bin
    test -x "$bin/python" || "$2" -m venv "$environment" || return
    local pip=("$bin/python" -m pip --disable-pip-version-check --quiet)
    "${pip[@]}" install --force-reinstall --no-deps build/wheel/*.whl || return
    "${pip[@]}" install "$(ls build/wheel/*.whl)[test]" || return
    "$bin/python" -m pytest -q -n 2 --dist loadfile -p no:cacheprovider
}

failed=() passed=() skipped=()
for name in "$@"; do
    if ! interpreter=$(find_python "$name"); then
        echo "== $name: not found, skipped"
        skipped+=("$name")
        continue
    fi
    echo "== $name: $("$interpreter" -V)"
    if suite "$name" "$interpreter"; then passed+=("$name"); else failed+=("$name"); fi
done

echo "== passed: ${passed[*]:-none}; failed: ${failed[*]:-none}; not found: ${skipped[*]:-none}"
[ ${#failed[@]} -eq 0 ] && [ ${#passed[@]} -gt 0 ]
