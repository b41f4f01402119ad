#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An aarch64 Python that runs here, under qemu-user: tools/aarch64-python.sh FOLDER
#
# It installs nothing on this machine and needs no privileges: Debian's arm64 packages are unpacked into FOLDER/root,
# wheels for aarch64 into FOLDER/site, and FOLDER/python is the command that runs them. The Python inside takes that
# command for its own executable, so processes that it starts are emulated too.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
[ -e "$folder/.complete" ] && exit 0
"$here/need.sh" apt-get=apt dpkg-deb=dpkg qemu-aarch64=qemu-user

# A separate apt, which knows no installed package and therefore fetches all that python3 depends on.
state=$folder/apt
mkdir -p "$state/lists/partial" "$state/archives/partial"
: > "$state/status"
apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User= \
        -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
        -o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives" -o Debug::NoLocking=1 "$@"
}
apt update
apt install --yes --no-install-recommends --download-only python3 libstdc++6 libgomp1

rm -rf "$folder/root" "$folder/site"
for package in "$state"/archives/*.deb; do
    dpkg-deb -x "$package" "$folder/root"
done
# "python3" is a link to the interpreter that has the version in its name.
version=$(readlink "$folder/root/usr/bin/python3")
version=${version#python}

# Only numpy and cffi are needed on a board; onnx and onnxruntime compute for the simulated NPU, the others test.
# onnxruntime 1.32 crashes on import under qemu 7.2.
"${PYTHON:-python3}" -m pip --disable-pip-version-check --quiet install --target "$folder/site" --only-binary=:all: \
    --python-version "$version" --implementation cp --abi "cp$(echo "$version" | tr -d .)" --abi abi3 --abi none \
    --platform manylinux2014_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux_2_27_aarch64 \
    --platform manylinux_2_28_aarch64 \
    numpy cffi onnx 'onnxruntime<1.23' 'pytest>=7.4' 'pytest-timeout>=2.2' 'hypothesis>=6.80' 'uvloop>=0.17' \
    'exceptiongroup' 'tomli'

cat > "$folder/python" << PYTHON
#!/bin/sh
# The aarch64 Python, emulated. EZ_RKNN_PRELOAD names a library to load before all others.
root=$folder/root
exec qemu-aarch64 -0 "\$0" -L "\$root" \${EZ_RKNN_PRELOAD:+-E LD_PRELOAD=\$EZ_RKNN_PRELOAD} \\
    -E PYTHONHOME="\$root/usr" -E PYTHONPATH="$folder/site\${PYTHONPATH:+:\$PYTHONPATH}" \\
    -E OPENBLAS_NUM_THREADS=1 -E LD_LIBRARY_PATH= "\$root/usr/bin/python$version" "\$@"
PYTHON
chmod +x "$folder/python"
rm -rf "$state"
touch "$folder/.complete"
