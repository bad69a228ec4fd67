"""The Kubernetes manifests, against the schemas of Kubernetes and against what compose runs."""

import shlex
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from app.health.routes import router
from store.settings import Settings
from store.shutdown_times import STOP_MARGIN_SECONDS
from tests.integration import compose

FOLDER = compose.ROOT / "deploy" / "kubernetes"
SECRET = {"POUF_DATABASE_URL", "POUF_REDIS_URL", "POUF_BOOTSTRAP_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
VARIABLES = {"POSTGRES_PASSWORD": "one", "REDIS_PASSWORD": "two", "POUF_BOOTSTRAP_KEY": "three"}
#: Service of the compose file by file of the manifests.
SERVICES = {
    "base/api.yaml": "api",
    "base/ingest.yaml": "ingest",
    "base/notify.yaml": "notify",
    "base/reaper.yaml": "reaper",
    "cpu/worker.yaml": "worker-cpu",
    "gpu/worker.yaml": "worker",
    "migrate/job.yaml": "migrate",
}
MANIFESTS = sorted(
    (path.relative_to(FOLDER).as_posix(), number)
    for path in FOLDER.rglob("*.yaml")
    if path.name != "kustomization.yaml"
    for number, _ in enumerate(yaml.safe_load_all(path.read_text()))
)


def read(name, number=0):
    return list(yaml.safe_load_all((FOLDER / name).read_text()))[number]


def pod(name):
    return read(name)["spec"]["template"]["spec"]


def container(name):
    (found,) = pod(name)["containers"]
    return found


@pytest.mark.parametrize(("name", "number"), MANIFESTS)
def test_a_manifest_follows_the_schema_of_its_kind(name, number):
    kubernetes_validate.validate(read(name, number), kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("kind", ["cpu", "gpu", "migrate"])
def test_what_is_applied_names_files_that_exist_and_every_image(kind):
    applied = yaml.safe_load((FOLDER / kind / "kustomization.yaml").read_text())
    files, folders = [], [FOLDER / kind]
    while folders:
        folder = folders.pop()
        for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
            path = (folder / name).resolve()
            (folders if path.is_dir() else files).append(path)
    names = {path.relative_to(FOLDER).as_posix() for path in files}
    assert "config/config.yaml" in names
    images = {container(name)["image"] for name in names & SERVICES.keys()}
    assert images == {image["name"] for image in applied["images"]}


def test_every_service_of_compose_has_a_manifest_with_its_command_and_image():
    services = compose.load(VARIABLES)["services"]
    assert set(SERVICES.values()) == services.keys() - {"redis", "postgres", "s3", "s3-bucket"}
    for name, service in SERVICES.items():
        assert container(name)["args"] == shlex.split(services[service]["command"]), name
        assert container(name)["image"] == services[service]["image"], name


@pytest.mark.parametrize("name", SERVICES)
def test_a_pod_has_no_service_links_and_no_privileges(name):
    assert pod(name)["enableServiceLinks"] is False  # POUF_PORT would be set to a URL
    assert pod(name)["automountServiceAccountToken"] is False
    assert pod(name)["securityContext"]["runAsNonRoot"] is True
    safe = container(name)["securityContext"]
    assert (safe["allowPrivilegeEscalation"], safe["capabilities"]) == (False, {"drop": ["ALL"]})


def test_secrets_come_by_reference_and_the_first_key_to_the_api_alone():
    for name in SERVICES:
        references = [source["secretRef"]["name"] for source in container(name)["envFrom"] if "secretRef" in source]
        assert references == ["pouf"], name
        values = {variable["name"]: variable.get("value") for variable in container(name)["env"]}
        assert not any(values.get(secret) for secret in SECRET), name
        assert ("POUF_BOOTSTRAP_KEY" in values) == (name == "base/api.yaml")
    assert not SECRET & read("config/config.yaml")["data"].keys()


def test_every_setting_that_a_manifest_names_exists():
    known = {f"POUF_{name.upper()}" for name in Settings.model_fields}
    named = set(read("config/config.yaml")["data"])
    for name in SERVICES:
        named |= {variable["name"] for variable in container(name)["env"]}
    assert {name for name in named if name.startswith("POUF_")} <= known


def test_a_worker_takes_one_gpu_and_no_other_pod_takes_any():
    limits = {name: container(name)["resources"]["limits"].get("nvidia.com/gpu") for name in SERVICES}
    assert {name: limit for name, limit in limits.items() if limit} == {"gpu/worker.yaml": 1}


def test_a_workers_end_leaves_time_to_give_its_job_back():
    for name in ("cpu/worker.yaml", "gpu/worker.yaml"):
        assert pod(name)["terminationGracePeriodSeconds"] > Settings().cancel_grace_seconds + STOP_MARGIN_SECONDS


def test_probes_ask_what_the_api_answers():
    paths = {route.path for route in router.routes}
    probes = {kind: container("base/api.yaml")[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness")}
    assert {probe["path"] for probe in probes.values()} <= paths
    assert [probe["path"] for probe in probes.values()] == ["/health/live", "/health/ready"]


def test_disruptions_take_one_pod_of_a_kind_at_a_time():
    for name in SERVICES.keys() - {"migrate/job.yaml"}:
        budget = read(name, 1)
        assert budget["kind"] == "PodDisruptionBudget"
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["selector"] == read(name)["spec"]["selector"], name


def test_the_documentation_names_every_secret():
    text = Path(compose.ROOT / "docs" / "kubernetes.md").read_text()
    for key in ("POUF_DATABASE_URL", "POUF_REDIS_URL", "AWS_ACCESS_KEY_ID", "bootstrap-key", "key-pepper"):
        assert f"{key}=" in text
