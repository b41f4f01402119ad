# SPDX-License-Identifier: Apache-2.0
"""``ezrknn compat``: put stand-ins for other packages into the current environment, and take them out."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import shutil
import sysconfig
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..compat.rknnlite.install import PACKAGES, STAND_IN
from ..errors import RknnError

if TYPE_CHECKING:
    import argparse

# The folder of each stand-in, and the packages in it.
_STAND_INS = {
    "rknnlite": (STAND_IN, PACKAGES),
}
_INSTALLER = "ezrknn"
_VENDORS = ("rknn-toolkit-lite2", "rknn-toolkit-lite", "rknn-toolkit2", "rknn-toolkit")


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "compat",
        help="let programs import rknnlite, and get this package",
        description="Put an importable stand-in for another package, with its metadata, into the current environment, "
        "or take it out. For a single program there is `python -m ez_rknn_async.compat NAME PROGRAM`.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    for name, handler, help_ in (
        ("install", install, "put a stand-in into this environment; refused where the original is installed"),
        ("uninstall", uninstall, "take a stand-in out of this environment"),
    ):
        action = actions.add_parser(name, help=help_, description=help_)
        action.add_argument("name", choices=_STAND_INS, help="the package that it stands for")
        action.set_defaults(handler=handler)


def install(arguments: argparse.Namespace) -> int:
    """Copy a stand-in into the environment."""
    source, packages = _STAND_INS[arguments.name]
    folder = _site_packages()
    if _installed(source, folder) is not None:
        _remove(source, folder)  # perhaps of a former version
    _refuse_originals(arguments.name, packages)
    files = {path.relative_to(source): path.read_bytes() for path in sorted(source.rglob("*.py"))}
    metadata = _metadata_folder(source)
    files[metadata / "METADATA"] = _description(source).read_bytes()
    files[metadata / "INSTALLER"] = f"{_INSTALLER}\n".encode()
    record = metadata / "RECORD"
    lines = [*(_line(path, content) for path, content in files.items()), f"{record.as_posix()},,"]
    for path, content in {**files, record: "".join(f"{line}\n" for line in lines).encode()}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    print(f"installed {' and '.join(packages)} in {folder}: they are ez_rknn_async, under the names of Rockchip's")
    return 0


def uninstall(arguments: argparse.Namespace) -> int:
    """Remove what :func:`install` has copied, and nothing else."""
    source, packages = _STAND_INS[arguments.name]
    folder = _site_packages()
    if _installed(source, folder) is None:
        raise RknnError(f"no stand-in for {arguments.name} is installed in {folder}; nothing was removed")
    _remove(source, folder)
    print(f"removed {' and '.join(packages)} from {folder}")
    return 0


def _site_packages() -> Path:
    return Path(sysconfig.get_path("purelib"))


def _description(source: Path) -> Path:
    """Find the metadata of a stand-in: one file, because our own wheel leaves metadata folders out."""
    (description,) = source.glob("*.egg-info")
    return description


def _metadata_folder(source: Path) -> Path:
    return Path(f"{_description(source).stem}.dist-info")


def _installed(source: Path, folder: Path) -> list[PurePosixPath] | None:
    """List the files of the stand-in that is installed in a folder; None if there is none."""
    for metadata in folder.glob(_metadata_folder(source).name.partition("-")[0] + "-*.dist-info"):
        installer, record = metadata / "INSTALLER", metadata / "RECORD"
        if record.is_file() and installer.is_file() and installer.read_text().strip() == _INSTALLER:
            return [PurePosixPath(line.partition(",")[0]) for line in record.read_text().splitlines()]
    return None


def _remove(source: Path, folder: Path) -> None:
    files = _installed(source, folder) or []
    folders = {folder / parent for file in files for parent in file.parents if parent.parts}
    for file in files:
        (folder / file).unlink(missing_ok=True)
    for each in sorted(folders, reverse=True):  # the deepest first
        shutil.rmtree(each / "__pycache__", ignore_errors=True)
        if each.is_dir() and not any(each.iterdir()):
            each.rmdir()


def _refuse_originals(name: str, packages: tuple[str, ...]) -> None:
    """Raise RknnError if the stand-in would damage or hide an installed package."""
    for vendor in _VENDORS:
        try:
            found = importlib.metadata.distribution(vendor)
        except importlib.metadata.PackageNotFoundError:
            continue
        raise RknnError(
            f"Rockchip's {vendor} {found.version} is installed; uninstall it first (pip uninstall {vendor}), or leave "
            f"it and run the program with: python -m ez_rknn_async.compat {name} PROGRAM"
        )
    for package in packages:
        spec = importlib.util.find_spec(package)
        if spec is not None:
            where = spec.origin or ", ".join(spec.submodule_search_locations or ())
            raise RknnError(f"a package {package} is there already ({where}); remove it first")


def _line(path: Path, content: bytes) -> str:
    """Write a file's line of RECORD, so that pip can remove it too."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path.as_posix()},sha256={digest},{len(content)}"
