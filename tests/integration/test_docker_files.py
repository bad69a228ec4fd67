import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import s3fs
import yaml

from app.auth.key_text import is_well_formed
from cli.services import INGESTIONS, api_command, celery_command, notify_command
from store.settings_table import settings_table
from tests.integration import compose
from tests.s3_server import CREDENTIALS
from tests.waiting import WAIT_SECONDS

PASSWORDS = {"POSTGRES_PASSWORD": "one", "REDIS_PASSWORD": "two", "POUF_BOOTSTRAP_KEY": "three"}
DOCKERFILE = compose.ROOT / "docker" / "Dockerfile"
OURS = ("api", "worker", "worker-cpu", "ingest", "notify", "reaper", "migrate")
SET_BY_COMPOSE = {"POUF_HOST", "POUF_PORT", "POUF_DEVICE", "POUF_BOOTSTRAP_KEY"}


@pytest.fixture
def services():
    return compose.load(PASSWORDS)["services"]


def tool(name: str) -> str:
    path = shutil.which(name, path=f"{Path(sys.executable).parent}")
    if path is None:
        pytest.skip(f"{name} has no build for this platform")
    return path


def test_the_compose_file_follows_the_specification():
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(compose.FILE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_dockerfile_has_no_lint():
    checked = subprocess.run([tool("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.parametrize("missing", PASSWORDS)
def test_nothing_starts_without_a_password_or_a_key(missing):
    with pytest.raises(compose.MissingVariable, match=missing):
        compose.load({name: value for name, value in PASSWORDS.items() if name != missing})


def test_the_example_environment_names_every_variable_and_gives_no_password():
    lines = (compose.ROOT / "docker" / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    used = {match["name"] for match in compose.VARIABLE.finditer(compose.FILE.read_text()) if match["name"]}
    assert set(example) == used
    assert {example[name] for name in PASSWORDS} == {""}


def test_only_the_api_gets_the_first_key(services):
    given = [name for name, service in services.items() if "POUF_BOOTSTRAP_KEY" in service.get("environment", {})]
    assert given == ["api"]
    # so that the API itself sees to it that there is a key
    assert services["api"]["environment"]["POUF_HOST"] == "0.0.0.0"


def test_the_example_environment_says_how_to_make_a_key():
    text = (compose.ROOT / "docker" / ".env.example").read_text()
    (command,) = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# python3 ")]
    arguments = [sys.executable, *shlex.split(command)[1:]]
    made = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip()
    assert is_well_formed(made)


def test_compose_runs_the_commands_that_pouf_up_runs(services):
    def without_python(command: tuple[str, ...]) -> list[str]:
        assert command[:2] == (sys.executable, "-m")
        return list(command[2:])

    assert shlex.split(services["api"]["command"]) == without_python(api_command("0.0.0.0", 8000))
    train = without_python(celery_command("train", "train"))
    assert shlex.split(services["worker"]["command"]) == train
    assert shlex.split(services["worker-cpu"]["command"]) == train
    assert shlex.split(services["ingest"]["command"]) == without_python(celery_command("ingest", "ingest", INGESTIONS))
    assert shlex.split(services["notify"]["command"]) == without_python(notify_command())


def test_the_images_default_commands_are_those_of_compose(services):
    commands = [yaml.safe_load(line[4:]) for line in DOCKERFILE.read_text().splitlines() if line.startswith("CMD ")]
    assert commands == [shlex.split(services["api"]["command"]), shlex.split(services["worker"]["command"])]


def test_only_the_api_is_published_and_only_on_loopback(services):
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"]}


def test_every_part_of_ours_runs_without_privileges(services):
    for name in OURS:
        assert services[name]["cap_drop"] == ["ALL"], name
        assert services[name]["security_opt"] == ["no-new-privileges:true"], name
    assert "\nUSER 10001\n" in DOCKERFILE.read_text()


def test_every_part_of_ours_waits_for_the_migration(services):
    for name in set(OURS) - {"migrate"}:
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}, name


def test_a_gpu_is_reserved_only_in_the_gpu_profile(services):
    reserving = {name: service["profiles"] for name, service in services.items() if "deploy" in service}
    assert reserving == {"worker": ["gpu"]}
    assert services["worker-cpu"]["profiles"] == ["cpu"]


def test_a_workers_stop_leaves_time_to_give_its_job_back(services):
    from store.settings import Settings
    from store.shutdown_times import STOP_MARGIN_SECONDS

    for name in ("worker", "worker-cpu"):
        assert (
            int(services[name]["stop_grace_period"].removesuffix("s"))
            > Settings().cancel_grace_seconds + STOP_MARGIN_SECONDS
        )


def test_every_documented_setting_reaches_every_part():
    documented = set(re.findall(r"^\| `(POUF_\w+)`", settings_table(), re.MULTILINE)) - SET_BY_COMPOSE
    given = {name: f"value of {name}" for name in documented - {"POUF_DATA_DIR", "POUF_DATABASE_URL", "POUF_REDIS_URL"}}
    for name in OURS:
        told = compose.load(PASSWORDS | given)["services"][name]["environment"]
        assert {variable: told.get(variable) for variable in given} == given, name
        assert documented <= told.keys(), name
        # what is not given keeps its default, base models too
        told = compose.load(PASSWORDS)["services"][name]["environment"]
        assert told.keys() & given.keys() == {"POUF_STORAGE_URL"}, name


def test_one_profile_adds_a_gpu_one_does_without_and_one_adds_a_storage(services):
    profiles = {name: service["profiles"] for name, service in services.items() if "profiles" in service}
    assert profiles == {"worker": ["gpu"], "worker-cpu": ["cpu"], "s3": ["s3"], "s3-bucket": ["s3"]}
    for name in set(OURS) - {"migrate"}:
        # only where the profile is chosen
        assert services[name]["depends_on"]["s3-bucket"]["required"] is False, name


def test_the_profile_s3_makes_the_bucket(services, s3_address):
    bucket = f"made-{os.urandom(4).hex()}"
    environment = CREDENTIALS | {"AWS_ENDPOINT_URL": s3_address, "POUF_STORAGE_URL": f"s3://{bucket}/storage"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = shlex.split(services["s3-bucket"]["command"])
    subprocess.run(command, env={"PATH": path, **environment}, timeout=WAIT_SECONDS, check=True)
    storage = s3fs.S3FileSystem(key="test", secret="test", endpoint_url=s3_address, skip_instance_cache=True)
    assert storage.exists(bucket)


def test_the_image_gets_only_what_it_needs():
    allowed = {line[1:] for line in (compose.ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for line in DOCKERFILE.read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied |= set(line.split()[1:-1])
    assert copied == allowed


def test_every_service_is_told_of_s3_and_its_credentials_and_takes_the_volume_without():
    s3 = {
        "POUF_STORAGE_URL": "s3://bucket/path",
        "AWS_ENDPOINT_URL": "https://s3.example",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    for name in OURS:
        told = compose.load(PASSWORDS | s3)["services"][name]["environment"]
        assert {variable: told[variable] for variable in s3} == s3, name
        assert compose.load(PASSWORDS)["services"][name]["environment"]["POUF_STORAGE_URL"] == "file:///data/storage"


def test_the_images_hold_the_backup_tools_of_the_servers_version(services):
    server = services["postgres"]["image"].removeprefix("postgres:").split("-")[0]
    assert f"postgresql-client-{server} " in DOCKERFILE.read_text()
