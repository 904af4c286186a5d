"""Checks of this machine: settings, disk and the embedded server's socket."""

import os
import shutil
import stat
from pathlib import Path

from cancellist.config import setting_names
from cancellist.config.loading import load, odd_names
from cancellist.config.settings import Settings
from cancellist.jobs.diagnostics.check_result import CheckResult, failed, ok, skipped, warning
from cancellist.jobs.errors import SettingsError
from cancellist.jobs.roles import Role

_LEAST_FREE = 128 << 20
_LITTLE_FREE = 1 << 30
_PRIVATE = 0o077


def settings(role: Role) -> tuple[Settings | None, CheckResult]:
    """Checks the settings of this process and returns them; None if they are wrong. Only a worker needs keys."""
    try:
        found = load()
        if role is Role.WORKER:
            for name in found.account_names:
                found.check_key(name)
    except SettingsError as error:
        return None, failed("settings", str(error), "no command starts", "fix this setting")
    except (OSError, UnicodeError) as error:
        return None, failed("settings", f"the settings cannot be read ({type(error).__name__})", "no command starts",
                            "check the file .env here, and the file that CANCELLIST_CONFIG names")  # fmt: skip
    return found, ok("settings", "read from the environment" + "".join(f", {name}" for name in _files()))


def unknown_names() -> CheckResult:
    """Checks for names of settings that do not exist, such as misspelt ones, which are ignored."""
    try:
        strange = odd_names()
    except SettingsError:
        return skipped("names", "the settings cannot be read")
    if not strange:
        return ok("names", "the name of every setting is known")
    return warning("names", "; ".join(strange), "they have no effect", "see docs/reference/settings.md for the names")


def stop_file(path: Path) -> CheckResult:
    """Checks that the stop file can be looked for, and whether it is there."""
    from cancellist.worker.stop_file import fault_of, why_stopped  # noqa: PLC0415 - only where one is set

    if fault := fault_of(path):
        return failed("stop file", fault, "no worker starts here", "fix the setting, or make the folder")
    if why := why_stopped(path, str(path)):
        return warning("stop file", why, "no worker here starts a call, and all accounts are stopped",
                       "remove it; then `cancellist resume --all` lets them go on")  # fmt: skip
    return ok("stop file", f"{path} is not there")


def snapshots(settings: Settings) -> CheckResult:
    """Checks that a worker here could keep records, and has the key."""
    from cancellist.worker.snapshots.opening import open_store  # noqa: PLC0415 - only where they are kept
    from cancellist.worker.snapshots.store import NotKeptError  # noqa: PLC0415

    try:
        store = open_store(settings, "doctor")
    except SettingsError as error:
        return failed("snapshots", str(error), "no worker starts here", "fix this setting")
    if store is None:
        return skipped("snapshots", "no folder is set for records")
    try:
        store.check()
    except NotKeptError as error:
        return failed("snapshots", str(error), "jobs that want their records kept are not cancelled by workers here",
                      "mount the disk, make room, or mend its rights")  # fmt: skip
    return ok("snapshots", f"records can be kept in {settings.snapshot_dir}, and there is a key")


def disk(folder: Path, *, embedded: bool) -> CheckResult:
    """Checks that the embedded server has disk space for its append-only file."""
    if not embedded:
        return skipped("disk", "the server is not embedded: the free space of its disk cannot be seen from here")
    there = next((part for part in (folder, *folder.parents) if part.is_dir()), Path("/"))
    free = shutil.disk_usage(there).free
    written = sum(file.stat().st_size for file in folder.rglob("*.aof") if file.is_file()) if folder.is_dir() else 0
    found = f"{_mib(free)} free in {folder}, {_mib(written)} written"
    if free < _LEAST_FREE:
        return failed("disk", found, "the server refuses writes that it cannot save", "free some space")
    if free < max(_LITTLE_FREE, 2 * written):
        return warning(
            "disk",
            found,
            "the append-only file is rewritten at times, and needs room beside the old one",
            "free some space",
        )
    return ok("disk", found)


def socket(path: Path | None, tcp_port: int | None) -> CheckResult:
    """Checks that only this user can reach the embedded server.

    Args:
        path: the server's socket; None without an embedded server.
        tcp_port: the server's TCP port; 0 if it has none, None if that is unknown.
    """
    if path is None:
        return skipped("socket", "the server is not embedded")
    facts = path.stat()
    mode = stat.S_IMODE(facts.st_mode)
    if tcp_port:
        return failed("socket", f"the embedded server listens on port {tcp_port}", "others may reach it",
                      "stop that server: cancellist did not start it")  # fmt: skip
    if not stat.S_ISSOCK(facts.st_mode) or facts.st_uid != os.getuid() or mode & _PRIVATE:
        return failed("socket", f"{path} has mode {mode:o}", "other users of this machine may reach the server",
                      f"chmod 700 {path}")  # fmt: skip
    return ok("socket", f"{path}, mode {mode:o}, no port")


def _files() -> list[str]:
    path = os.environ.get(f"{setting_names.PREFIX}CONFIG")
    return [*([".env"] if Path(".env").is_file() else []), *([path] if path else [])]


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
