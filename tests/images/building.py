"""The images of docker-compose.yml, built from docker/Dockerfile as an engine would."""

from __future__ import annotations

from pathlib import Path

from tests.images.buildah import Buildah, volumes
from tests.images.pip_settings import pip_settings, write_pip_settings
from tests.integration.compose import ROOT

#: Image by stage of the Dockerfile. The CUDA image differs in PyTorch alone, and needs its card to be tried.
IMAGES = {"api": "pouf-api", "worker": "pouf-worker-cpu"}


def build(buildah: Buildah, stage: str, folder: Path) -> None:
    """Build one stage with this machine's settings of pip, under the name that compose gives its image.

    PyTorch's CPU wheels come from pip's own indexes and folders where these have them.
    """
    buildah(
        "bud",
        "--format=docker",  # the other format has no health checks
        "--layers",
        "--pull-never",
        "--network=host",
        *volumes(write_pip_settings(folder)),
        *(f"--build-arg={name}={value}" for name, value in arguments().items()),
        f"--file={ROOT / 'docker' / 'Dockerfile'}",
        f"--target={stage}",
        f"--tag={IMAGES[stage]}",
        ROOT,
    )


def arguments() -> dict[str, str]:
    """PyTorch's own index is named to pip unless a folder of wheels lies here, as where no other index is reached."""
    return {"TORCH": "cpu"} | ({"TORCH_INDEX": ""} if "find-links" in pip_settings() else {})
