"""What a figure depends on besides the code: the machine, said in one line, and byte-compiled files."""

from __future__ import annotations

import importlib.util
import os
import platform
import sqlite3
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from statistics import median

SYNCS = 64


def machine(folder: Path) -> dict[str, object]:
    """Processor, kernel, interpreter, SQLite and the disk under `folder`."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite3": sqlite3.sqlite_version,
        "apsw": _apsw(),
        "file_system": _file_system(folder),
        "fdatasync_ms": round(_fdatasync_ms(folder), 3),
        "load": round(os.getloadavg()[0], 2),
    }


def line(found: dict[str, object]) -> str:
    """The same as one line under a table."""
    return (
        f"{found['cores']} × {found['processor']}, {found['system']}, {found['python']}, "
        f"SQLite {found['apsw']} (apsw) and {found['sqlite3']} (sqlite3), "
        f"fdatasync {found['fdatasync_ms']} ms on {found['file_system']}, load {found['load']} at the start"
    )


def is_in_memory(folder: Path) -> bool:
    """Whether the folder is on a file system that no sync reaches a disk from."""
    return _file_system(folder) in {"tmpfs", "ramfs"}


def compile_everything() -> float:
    """Byte-compile what is installed, Interlock and the benchmark; return the seconds that it took.

    Without it an import reads two to five times slower than it is.
    """
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(Path(__file__).parent)}
    interlock = importlib.util.find_spec("interlock")
    if interlock is not None:
        folders.update(interlock.submodule_search_locations or ())
    started = time.perf_counter()
    # some packages ship templates that are not Python: they fail, and nothing imports them
    subprocess.run(
        [sys.executable, "-m", "compileall", "-qq", "-j", "0", *sorted(folders)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return time.perf_counter() - started


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for said in listed.read_text().splitlines():
            if said.startswith("model name"):
                return said.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _apsw() -> str:
    try:
        import apsw
    except ImportError:
        return "no"
    return apsw.sqlite_lib_version()


def _file_system(folder: Path) -> str:
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "an unknown file system"
    kinds = {fields[1]: fields[2] for fields in map(str.split, mounts.read_text().splitlines())}
    inside = folder.resolve()
    return next((kinds[str(at)] for at in (inside, *inside.parents) if str(at) in kinds), "unknown")


def _fdatasync_ms(folder: Path) -> float:
    path = folder / "fdatasync"
    sync = getattr(os, "fdatasync", os.fsync)
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(os.urandom(4096))
            started = time.perf_counter()
            sync(file.fileno())
            taken.append(time.perf_counter() - started)
    path.unlink()
    return median(taken) * 1e3
