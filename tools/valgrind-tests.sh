#!/bin/sh
# The tests of values and bindings, misuse included, with every access to memory checked by valgrind.
#
#   tools/valgrind-tests.sh PYTHON [pytest arguments]
#
# Left out are those that compute whole models: they do in many minutes what the others do in few.
set -eu

python=$1
shift
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# Each allocation on its own (PYTHONMALLOC), or valgrind would not see where one object ends and the next begins.
status=0
PYTHONMALLOC=malloc valgrind --quiet --error-exitcode=9 --leak-check=no --suppressions=tests/valgrind.supp \
    --log-file="$logs/%p" "$python" -m pytest -q -p no:cacheprovider --timeout=600 \
    tests/session/test_ort_value.py tests/session/test_io_binding.py \
    -k "not bound_values_give and not pixels_give and not floats_are_quantised and not integers_of" "$@" || status=$?
cat "$logs"/*
exit $status
