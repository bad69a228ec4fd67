"""The process that decodes: what it answers, and what hostile pictures can and cannot do to it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from pouf_core.contract.item_limits import MAX_PIXELS
from pouf_core.data import decoder, process_watch
from pouf_core.data.decoder import Decoder, DecoderLimits, DecoderUnavailable
from pouf_core.data.images import decode_image
from pouf_core.errors import InvalidInput
from tests import fragile_decoder
from tests.waiting import has_ended, wait_for

MIB = 1024**2
#: Of computing; waited for several times as long.
PLENTY = 60.0


def encoded(size: tuple[int, int] = (40, 30), mode: str = "RGB", kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def refusal(decoder: Decoder, data: bytes, max_pixels: int = MAX_PIXELS) -> str:
    with pytest.raises(InvalidInput) as caught:
        decoder.decode(data, max_pixels)
    return caught.value.code


@pytest.fixture
def real() -> Iterator[Decoder]:
    with Decoder(DecoderLimits(512 * MIB, 20)) as decoder:
        yield decoder


@pytest.fixture
def fragile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Decoder]:
    monkeypatch.setattr(decoder, "MODULE", "tests.fragile_decoder")
    with Decoder(DecoderLimits(512 * MIB, getattr(request, "param", PLENTY))) as fragile:
        yield fragile


def test_pictures_come_out_as_they_do_without_the_process(real: Decoder) -> None:
    for mode, kind in (("RGB", "JPEG"), ("L", "PNG"), ("RGBA", "PNG"), ("CMYK", "TIFF")):
        data = encoded(mode=mode, kind=kind)
        assert real.decode(data, MAX_PIXELS).tobytes() == decode_image(data).tobytes()
        real.check(data, MAX_PIXELS)


def test_the_size_is_told_without_decoding(real: Decoder) -> None:
    assert real.size(encoded()[:100], MAX_PIXELS) == (40, 30)
    with pytest.raises(InvalidInput, match="pixels"):
        real.size(encoded(), 40 * 30 - 1)
    assert real.decode(encoded(), MAX_PIXELS).size == (40, 30)


def test_one_process_decodes_one_picture_after_another_whatever_they_are(real: Decoder) -> None:
    real.start()
    pid = real.pid
    assert refusal(real, b"") == "empty_file"
    assert refusal(real, b"nonsense") == "undecodable_image"
    assert refusal(real, encoded(), max_pixels=40 * 30 - 1) == "image_too_large"
    real.check(encoded(), MAX_PIXELS)
    assert real.pid == pid


def test_a_picture_that_takes_too_much_memory_is_refused_and_the_next_is_decoded() -> None:
    with Decoder(DecoderLimits(64 * MIB, 20)) as small:
        buffer = io.BytesIO()
        Image.new("1", (5000, 5000)).save(buffer, "PNG")
        assert refusal(small, buffer.getvalue()) == "decoding_out_of_memory"
        small.check(encoded(), MAX_PIXELS)


@pytest.mark.parametrize(
    ("fragile", "mark", "code"),
    [
        (PLENTY, fragile_decoder.ABORT, "decoding_crashed"),
        (1, fragile_decoder.SPIN, "decoding_timed_out"),
        (1, fragile_decoder.SLEEP, "decoding_timed_out"),
        (PLENTY, fragile_decoder.FILL, "decoding_out_of_memory"),
        (PLENTY, fragile_decoder.BABBLE, "decoding_crashed"),
    ],
    indirect=["fragile"],
)
def test_a_crash_of_the_process_rejects_one_picture_alone(fragile: Decoder, mark: bytes, code: str) -> None:
    assert refusal(fragile, mark) == code
    assert fragile.decode(encoded(), MAX_PIXELS).size == (40, 30)


def test_a_process_that_was_killed_once_is_replaced_and_the_picture_decoded(real: Decoder) -> None:
    real.start()
    assert real.pid is not None
    psutil.Process(real.pid).kill()
    assert real.decode(encoded(), MAX_PIXELS).size == (40, 30)


def test_a_process_that_was_stopped_is_replaced_and_the_picture_decoded(
    real: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_watch, "STILL_SECONDS", 5 * process_watch.LOOK_SECONDS)
    real.start()
    assert real.pid is not None
    stopped = psutil.Process(real.pid)
    stopped.suspend()
    assert real.decode(encoded(), MAX_PIXELS).size == (40, 30)
    assert has_ended(stopped)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux alone limits the size of written files so")
def test_the_process_can_write_no_file_and_knows_no_settings(
    fragile: Decoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POUF_BOOTSTRAP_KEY", "secret")
    target = tmp_path / "written"
    refusal(fragile, fragile_decoder.WRITE + b" " + str(target).encode())
    assert not target.exists() or target.stat().st_size == 0
    with pytest.raises(InvalidInput) as caught:
        fragile.check(fragile_decoder.ENVIRONMENT, MAX_PIXELS)
    assert "POUF" not in caught.value.message


def test_closing_ends_the_process() -> None:
    with Decoder(DecoderLimits(512 * MIB, 20)) as closed:
        closed.start()
        pid = closed.pid
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_the_process_ends_with_its_parent() -> None:
    script = (
        "import os, time; from pouf_core.data.decoder import Decoder, DecoderLimits\n"
        "decoder = Decoder(DecoderLimits(1 << 29, 20)); decoder.start(); print(decoder.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        orphan = psutil.Process(pid)
        os.kill(parent.pid, signal.SIGKILL)
    wait_for(lambda: has_ended(orphan))


def test_a_decoder_that_cannot_start_rejects_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "MODULE", "pouf_core.there_is_no_such_module")
    with Decoder(DecoderLimits(512 * MIB, 20)) as broken, pytest.raises(DecoderUnavailable):
        broken.check(encoded(), MAX_PIXELS)
