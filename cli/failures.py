"""What is said when a command fails: a line with advice and an exit code, never a traceback."""

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from cli import CommandError
from cli.exit_codes import ExitCode
from cli.wording import option_of
from store.disk import is_disk_full

if TYPE_CHECKING:
    from pouf_client import ApiError
    from pouf_core.errors import InvalidInput

STATUS_CODES = {
    401: ExitCode.FORBIDDEN,
    403: ExitCode.FORBIDDEN,
    404: ExitCode.NOT_FOUND,
    408: ExitCode.TRY_LATER,
    409: ExitCode.CONFLICT,
    421: ExitCode.FORBIDDEN,
    429: ExitCode.TRY_LATER,
    502: ExitCode.TRY_LATER,
    503: ExitCode.TRY_LATER,
    504: ExitCode.TRY_LATER,
    507: ExitCode.TRY_LATER,
}
ADVICE = {
    401: "Set POUF_API_KEY to a key of this service; `pouf keys create` makes one, where the service runs.",
    403: "Ask the operator for a key that may do this.",
}


@dataclass(frozen=True)
class Failure:
    """What a person and a script are told."""

    message: str
    exit_code: ExitCode


def explain(error: Exception) -> Failure:
    """What to say of an error; one that nobody foresaw is written to a file, which the line names."""
    if isinstance(error, CommandError):
        return Failure(str(error), error.exit_code)
    if is_disk_full(error):  # whichever package met it
        return Failure("The disk is full. Make space, then try again.", ExitCode.FAILED)
    # an error of a package can only come from one that has been imported
    for module, explain_its_errors in _PACKAGES.items():
        if module in sys.modules and (failure := explain_its_errors(sys.modules[module], error)):
            return failure
    if isinstance(error, OSError) and (failure := _of_system(error)):
        return failure
    if isinstance(error, MemoryError):
        return Failure("Memory ran out. Close other programs, or take a smaller model.", ExitCode.FAILED)
    return _unforeseen(error)


def _of_client(client: Any, error: Exception) -> Failure | None:
    if not isinstance(error, client.ClientError):
        return None
    if isinstance(error, client.ApiError):
        return _of_api(error)
    if isinstance(error, client.Unreachable):
        return Failure(f"{error}. `pouf up` starts a service; --url or POUF_URL names one.", ExitCode.UNREACHABLE)
    if error.code == "invalid_api_key":
        return Failure(f"POUF_API_KEY: {error}", ExitCode.FORBIDDEN)
    if isinstance(error, client.JobFailed | client.DatasetFailed):
        return Failure(str(error), ExitCode.JOB_FAILED)
    return Failure(str(error), ExitCode.WRONG_USE if isinstance(error, client.InvalidInput) else ExitCode.FAILED)


def _of_api(error: "ApiError") -> Failure:
    rejected = ExitCode.WRONG_USE if error.status < 500 else ExitCode.FAILED
    advice = ADVICE.get(error.status)
    if rejected is ExitCode.FAILED and error.request_id:
        advice = f"The service's log has more under {error.request_id}."
    message = f"{_with_options(error)} ({error.code})" + (f" {advice}" if advice else "")
    return Failure(message, STATUS_CODES.get(error.status, rejected))


def _with_options(error: "ApiError") -> str:
    """What the service says, with the names of options for JSON pointers."""
    said = error.detail
    for one in error.errors:
        told = one["message"]
        said = said.replace(f"{one['pointer']}: {told}", _of_option(option_of(one["pointer"]), told))
    return said


def _of_option(option: str | None, told: str) -> str:
    return f"{option}: {told}" if option else told


def _of_method(errors: Any, error: Exception) -> Failure | None:
    if isinstance(error, errors.InvalidInput):
        lines = [f"{_with_option(problem)} ({problem.code})" for problem in errors.problems_of(error)]
        return Failure("\n".join(lines), ExitCode.WRONG_USE)
    if isinstance(error, errors.ArtifactError):
        return Failure(f"{error} ({error.code})", ExitCode.WRONG_USE)
    return Failure(f"{error} ({error.code})", ExitCode.FAILED) if isinstance(error, errors.PoufError) else None


def _with_option(problem: "InvalidInput") -> str:
    """What is wrong, with the option's name for a JSON pointer before it; `pouf adapt` has settings as options."""
    pointer, told = problem.field or "", problem.message
    inside = told.removeprefix(f"{pointer}: ")
    return told if inside == told else _of_option(option_of(pointer.removeprefix("/method/")), inside)


def _of_database(errors: Any, error: Exception) -> Failure | None:
    if not isinstance(error, errors.SQLAlchemyError):
        return None
    reason = " ".join(str(getattr(error, "orig", None) or error).split())
    advice = "Look at POUF_DATABASE_URL and --data-dir; `pouf migrate` brings an old database up to date."
    return Failure(f"The database cannot be used: {reason}. {advice}", ExitCode.FAILED)


def _of_system(error: OSError) -> Failure | None:
    if error.filename is not None and error.strerror:
        return Failure(f"{error.filename}: {error.strerror}.", ExitCode.WRONG_USE)
    if isinstance(error, FileNotFoundError) and _temporary_folder() is None:
        message = "There is no folder for temporary files: make space on the disk, or name another folder by TMPDIR."
        return Failure(message, ExitCode.FAILED)
    return None


def _temporary_folder() -> Path | None:
    """Where temporary files are made; None where no place can be written to, as on a full disk."""
    try:
        return Path(gettempdir())
    except FileNotFoundError:
        return None


_PACKAGES: dict[str, Callable[[Any, Exception], Failure | None]] = {
    "pouf_client": _of_client,
    "pouf_core.errors": _of_method,
    "sqlalchemy.exc": _of_database,
}


def _unforeseen(error: Exception) -> Failure:
    said = " ".join(str(error).split())[:200]
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    message = (
        f"A fault of pouf itself ({what}). Please report it with the file {_written(error)}; "
        "`pouf --debug …` shows what is in it."
    )
    return Failure(message, ExitCode.INTERNAL)


def _written(error: Exception) -> Path:
    """Where the trace is."""
    from pouf_core.system.user_cache import user_cache

    name = f"pouf-error-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.txt"
    for folder in filter(None, (user_cache() / "errors", _temporary_folder())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        except OSError:
            continue
        return folder / name
    return Path("that could not be written")
