"""What every job of the workflow needs: a log, and progress on the terminal."""

import fcntl
import os
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from time import sleep

from workflow_scripts.common.files import ADVICE

TERMINAL_SECONDS = 15  # between two lines of progress of one job: several jobs share the terminal
_terminal = None  # where standard error went before there was a log


def log_to(path):
    """Send standard output and error of this process, its children and C code to the file `path`.

    Line-buffered, so that `tail -f` follows. An exception leaves its traceback in the log and one line, which names
    the log, on the terminal. The process ends with the one that started it, and waits for another that has this log.
    """
    global _terminal
    _end_with_parent()
    _terminal = os.fdopen(os.dup(2), "w", buffering=1)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        log = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        _wait_for(log, path)
        os.ftruncate(log, 0)
    except OSError as error:
        sys.exit(f"Error: {_first_line(error, path)}")
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout.reconfigure(line_buffering=True)
    sys.excepthook = lambda kind, error, trace: _report(path, kind, error, trace)


def progress_bar(total, what, unit, done=0):
    """Return a tqdm bar that writes a line to the terminal now and then, as many jobs may write there at once.

    done: units that an earlier call did, which do not count for the time to go.
    Besides tqdm's own methods it has `update_to(done, total)`, the form in which the estimators report.
    """
    from tqdm import tqdm

    bar = tqdm(
        total=total,
        initial=done,
        desc=what,
        unit=unit,
        file=_terminal or sys.stderr,
        mininterval=TERMINAL_SECONDS,
        delay=TERMINAL_SECONDS,  # short jobs say nothing
        miniters=1,
        leave=True,
        bar_format="{desc}: {unit} {n_fmt} of {total_fmt}, {elapsed} so far, {remaining} to go{postfix}\n",
    )
    bar.update_to = lambda done, _: bar.update(done - bar.n)
    return bar


def tell(line):
    """Print a line to the terminal, and to the log where there is one."""
    if _terminal:
        print(line)
    print(line, file=_terminal or sys.stderr)


def _end_with_parent():
    """End this process once the one that started it has gone: a job that outlives Snakemake answers to nobody."""
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            sleep(1)
        os._exit(1)  # the main thread may be deep in a computation

    threading.Thread(target=watch, daemon=True).start()


def _wait_for(log, path):
    """Lock the open file `log` for as long as this process lives; wait while the same job of an earlier call has it."""
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{path}: the same job of an earlier call still runs: waiting for its end", file=_terminal)
        fcntl.flock(log, fcntl.LOCK_EX)
    except OSError:
        pass  # a file system without locks


def _report(path, kind, error, trace):
    with suppress(OSError):  # the log may be what the full disk cannot hold
        traceback.print_exception(kind, error, trace)
    if not issubclass(kind, KeyboardInterrupt):  # who pressed Ctrl-C knows
        print(f"Error: {_first_line(error, path)} (full log: {path})", file=_terminal)


def _first_line(error, path):
    """What is wrong in one line; a full or locked disk is named with the file, `path` unless the error knows better."""
    if isinstance(error, OSError) and error.errno in ADVICE:
        what = f"{error.filename or path}: {os.strerror(error.errno)}"
        return f"{what}: {ADVICE[error.errno]} and call the same command again"
    return (str(error).splitlines() or [type(error).__name__])[0]
