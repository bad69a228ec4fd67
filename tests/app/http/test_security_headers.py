import pytest


def policy_of(answer) -> dict[str, str]:
    parts = [part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";")]
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/nothing", "/health/live", "/docs", "/v1/jobs?limit=0"])
def test_every_answer_forbids_sniffing_framing_referrers_and_caching(api, path):
    answer = api.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"
    assert policy_of(answer)["frame-ancestors"] == "'none'"
    assert answer.headers["cache-control"] == "no-store"


def test_refusals_before_any_route_carry_the_headers_too(api, make_key, refused):
    make_key()
    answer = api.get("/v1/jobs")
    refused(answer, 401, "missing_api_key")
    assert answer.headers["x-content-type-options"] == "nosniff"
    large = api.post("/v1/jobs", content=b"", headers={"content-length": str(10**12)})
    refused(large, 413, "body_too_large")
    assert policy_of(large)["default-src"] == "'none'"


def test_a_report_may_run_nothing_and_load_nothing(api, rows):
    answer = api.get(f"/v1/jobs/{rows.job()}/report")
    policy = policy_of(answer)
    assert policy["default-src"] == "'none'"
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "<script" not in answer.text


@pytest.mark.parametrize("path", ["/", "/sign-in", "/docs", "/jobs/none"])
def test_pages_run_and_load_only_what_this_service_serves(api, path):
    policy = policy_of(api.get(path))
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
    assert policy["style-src"] == "'self'"
    assert not any("unsafe" in value or "//" in value for value in policy.values())


def test_answers_with_an_etag_may_be_cached_by_their_caller_alone(api, rows):
    assert api.get(f"/v1/jobs/{rows.job()}").headers["cache-control"] == "private, no-cache"
