#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Read pages with RapidOCR on the NPU: run.sh FOLDER WHEEL. Everything is made in FOLDER, and what is there is not made again.
# PYTHON makes the environment; TOOLKIT_PYTHON is a Python with rknn-toolkit2; INT8=1 compiles to int8.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 wheel=$2 precision=${INT8:+int8}
python=$folder/environment/bin/python
networks=$folder/networks/${precision:-float16}

if ! test -e "$folder/environment/.installed"; then
    "${PYTHON:-python3}" -m venv "$folder/environment"
    "$python" -m pip --disable-pip-version-check --quiet install rapidocr_onnxruntime==1.4.4 "$wheel"
    touch "$folder/environment/.installed"
elif test "$wheel" -nt "$folder/environment/.installed"; then
    "$python" -m pip --disable-pip-version-check --quiet install --force-reinstall --no-deps "$wheel"
    touch "$folder/environment/.installed"
fi
if ! test -e "$folder/recorded/.complete"; then
    "$python" "$here/draw_pages.py" "$folder/pages"
    echo "in ONNX Runtime:"
    "$python" "$here/record.py" "$folder/recorded" "$here/read.py" "$folder"/pages/*.png
    touch "$folder/recorded/.complete"
fi
for recording in "$folder"/recorded/*/; do
    name=$(basename "$recording")
    "$TOOLKIT_PYTHON" "$here/compile.py" "$recording" "$networks/$name.rknn" --one-sample ${precision:+--int8} \
        > "$folder/$name.log" 2>&1 || { tail -20 "$folder/$name.log"; exit 1; }
    models=${models:+$models:}$name.onnx=$networks/$name.rknn
done
echo "on the NPU, or the simulated one:"
EZ_RKNN_ONNXRUNTIME_MODELS=$models EZ_RKNN_ONNXRUNTIME_BATCHES=1 EZ_RKNN_ONNXRUNTIME_OPTIONS='{"schedule": "all"}' \
    "$python" -m ez_rknn_async.compat onnxruntime "$here/read.py" "$folder"/pages/*.png
