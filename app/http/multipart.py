"""Multipart forms whose files go to disk, hashed, as their bytes arrive: memory stays constant, whatever is sent."""

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from app.http.content_types import FORM, wrong_content_type
from app.http.errors import ApiError, FieldError, invalid, several
from app.http.received_files import StagedFile, Staging, blocks
from app.http.slow_clients import ClientStalled

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELDS = 50
MAX_FIELD_BYTES = 256 * 1024


class FormInterrupted(Exception):
    """The client left or stalled (`reason`) after it had sent `files` completely."""

    def __init__(self, files: list[StagedFile], reason: Exception) -> None:
        super().__init__(str(reason))
        self.files = files
        self.reason = reason


async def receive_form(
    request: Request, staging: Staging, *, file_field: str, max_files: int
) -> tuple[dict[str, str], list[StagedFile]]:
    """Return the form's text fields and its files, in the order in which they came.

    A form without files may also be urlencoded, which is what clients send when they have none; no body at all is
    an empty form. Raises 415 for another content type, 400 ``malformed_multipart``, 413 ``too_many_files`` or
    ``field_too_large``, 422 ``unknown_field`` or ``duplicate_field``, and `FormInterrupted`.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind in (b"", b"application/x-www-form-urlencoded"):
        return await _read_urlencoded(request), []
    if kind != b"multipart/form-data":
        raise wrong_content_type(request.headers, FORM)
    form = _Form(options.get(b"boundary", b""), staging, file_field, max_files)
    try:
        async for block in blocks(request):
            await run_in_threadpool(form.feed, block)
    except (ClientDisconnect, ClientStalled) as error:
        raise FormInterrupted(form.files, error) from error
    return await run_in_threadpool(form.finish)


async def _read_urlencoded(request: Request) -> dict[str, str]:
    content = b"".join([block async for block in blocks(request, MAX_FIELD_BYTES)])
    if content and not request.headers.get("content-type"):
        raise wrong_content_type(request.headers, FORM)
    fields: dict[str, str] = {}
    try:
        pairs = parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise _too_many_fields() from error
    for name, value in pairs:
        if name in fields:
            raise invalid("duplicate_field", "This field may be given once.", f"/{name}")
        fields[name] = value
    return fields


class _Form:
    """Callbacks of the streaming parser."""

    def __init__(self, boundary: bytes, staging: Staging, file_field: str, max_files: int) -> None:
        self._staging = staging
        self._file_field = file_field
        self._max_files = max_files
        self._fields: dict[str, str] = {}
        self._files: list[StagedFile] = []
        self._begun = 0
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._field_name = ""
        self._field: bytearray | None = None
        self._complete = False
        if not boundary:
            raise _malformed("the content type names no boundary")
        try:
            self._parser = MultipartParser(boundary, self._callbacks())
        except FormParserError as error:
            raise _malformed(str(error)) from error

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    @property
    def files(self) -> list[StagedFile]:
        """The files that have come completely so far."""
        return self._files

    def feed(self, block: bytes) -> None:
        try:
            self._parser.write(block)
        except FormParserError as error:
            raise _malformed(str(error)) from error

    def finish(self) -> tuple[dict[str, str], list[StagedFile]]:
        try:
            self._parser.finalize()
        except FormParserError as error:
            raise _malformed(str(error)) from error
        if not self._complete:
            raise _malformed("the body ends before its closing boundary")
        return self._fields, self._files

    def _part_begin(self) -> None:
        self._header_name = self._header_value = self._disposition = b""
        self._field_name = ""
        self._field = None

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise _malformed("a part has no name")
        self._field_name = options[b"name"].decode("utf-8", "replace")
        if b"filename" in options:
            self._begin_file(options[b"filename"].decode("utf-8", "replace"))
        else:
            self._begin_field()

    def _begin_file(self, filename: str) -> None:
        if self._field_name != self._file_field:
            raise several([FieldError(f"/{self._field_name}", "unknown_field", f"Files go into `{self._file_field}`.")])
        self._begun += 1
        if self._begun > self._max_files:
            raise ApiError(
                413,
                "too_many_files",
                f"One form holds at most {self._max_files:,} files: send a .zip, .tar or .tar.gz archive instead, "
                "or several requests to /files.",
            )
        self._staging.begin(filename)

    def _begin_field(self) -> None:
        if self._field_name == self._file_field:
            raise invalid("missing_filename", "A file's part needs a filename.", f"/{self._file_field}")
        if self._field_name in self._fields:
            raise invalid("duplicate_field", "This field may be given once.", f"/{self._field_name}")
        if len(self._fields) >= MAX_FIELDS:
            raise _too_many_fields()
        self._field = bytearray()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._staging.write(memoryview(data)[start:end])
            return
        self._field += data[start:end]
        if len(self._field) > MAX_FIELD_BYTES:
            raise ApiError(413, "field_too_large", f"A text field holds at most {MAX_FIELD_BYTES:,} bytes.")

    def _part_end(self) -> None:
        if self._field is None:
            file = self._staging.end()
            # browsers send one nameless empty file when none was chosen
            if file.size or file.filename:
                name = file.filename or f"unnamed-{len(self._files) + 1}"
                self._files.append(replace(file, filename=name))
            return
        try:
            self._fields[self._field_name] = self._field.decode()
        except UnicodeDecodeError as error:
            raise invalid("invalid_value", "Text fields are UTF-8.", f"/{self._field_name}") from error

    def _end(self) -> None:
        self._complete = True


def _too_many_fields() -> ApiError:
    return ApiError(413, "too_many_fields", f"One form holds at most {MAX_FIELDS} fields.")


def _malformed(reason: str) -> ApiError:
    return ApiError(400, "malformed_multipart", f"The multipart body cannot be read: {reason}.")
