"""What the edge tells of itself, and that /openapi.json tells all of it."""

import msgspec
import pytest
from fakes import FakeOrigin
from served import problem

from edge.http.openapi import document
from edge.http.surface import REST
from edge.metrics import COUNTERS, HISTOGRAMS
from shared.errors import CODES


def test_models_and_voices(served):
    edge = served(aliases={"tts-1": "fake", "gone": "no-such"})
    models = edge.get("/v1/models").json()
    assert models["object"] == "list"
    assert {model["id"]: model["root"] for model in models["data"]} == {"fake": "fake", "tts-1": "fake"}
    assert [model["refrain"] and model["refrain"]["revision"] for model in models["data"]] == ["fake-1", None]
    voices = edge.get("/v1/voices").json()
    assert [(voice["model"], voice["name"]) for voice in voices["voices"]] == [("fake", "one"), ("fake", "two")]
    assert "alloy" in voices["aliases"]
    assert edge.get("/v1/regions").json()["regions"][0]["name"] == "local"


def test_readiness_goes_before_health_does(served):
    edge = served()
    assert edge.get("/readyz").json()["status"] == "ready"
    edge.lifecycle.draining = True
    said = edge.get("/readyz")
    assert (said.status_code, problem(said)["code"]) == (503, "draining")
    assert int(said.headers["retry-after"]) >= 1
    assert edge.get("/healthz").status_code == 200
    edge.lifecycle.draining, edge.lifecycle.missing = False, "is starting"
    assert problem(edge.get("/readyz"))["code"] == "not_ready"


def test_while_it_drains_each_answer_ends_its_connection(served):
    edge = served()
    edge.lifecycle.draining = True
    for said in (edge.post(), edge.get("/v1/models"), edge.get("/nowhere"), edge.get("/v1/audio/x")):
        assert said.headers["connection"] == "close"


def test_a_bug_is_a_problem_without_a_traceback(served):
    class Broken(FakeOrigin):
        def synthesize(self, recipe, key, token):
            raise ZeroDivisionError("a secret")

    edge = served(Broken())
    said = edge.post()
    assert said.status_code == 500
    assert problem(said)["code"] == "internal"
    assert "secret" not in said.text


def test_a_bug_in_a_cold_route_is_a_problem_too(served):
    edge = served()
    edge.metrics.gauge("refrain_edge_requests_in_flight", lambda: 1 / 0)
    said = edge.get("/metrics")
    assert (said.status_code, problem(said)["code"]) == (500, "internal")
    assert isinstance(edge.logged(event="bug")["exc_info"], ZeroDivisionError)
    edge.metrics.gauge("refrain_edge_requests_in_flight", lambda: 1)
    assert "refrain_edge_broken_total{" not in edge.get("/metrics").text  # the problem was a whole answer


def test_the_log_says_which_origin_failed(served):
    edge = served(FakeOrigin("http://origin", script=["fail"]))
    assert problem(edge.post())["code"] == "origin_failed"
    assert edge.logged(code="origin_failed")["source"] == "http://origin"


def operations():
    return [(path, method, said) for path, methods in document()["paths"].items() for method, said in methods.items()]


def test_every_route_is_documented(edge):
    documented = {path for path, _, _ in operations()}
    assert documented == {*REST, "/v1/audio/{key}", "/v1/audio/speech", "/v1/audio/plan"}
    assert edge.get("/openapi.json").content == msgspec.json.encode(document())
    for path in REST:
        assert edge.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/v1/audio/plan", "/v1/audio/" + "0" * 40, *sorted(REST)])
def test_allow_names_the_documented_methods(edge, path):
    with edge.client() as client:
        allowed = set(client.request("BREW", path).headers["allow"].split(", "))
    documented = document()["paths"][path.replace("0" * 40, "{key}")]
    assert {method.upper() for method in documented} | {"HEAD"} == allowed | {"HEAD"}


def test_every_error_code_is_documented_where_its_status_is():
    said = {}
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            for code in CODES:
                if f"`{code}`:" in response["description"]:
                    said.setdefault(code, set()).add(int(status))
    assert said == {code: {CODES[code].status} for code in CODES}
    assert document()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == list(CODES)


def test_every_reference_leads_somewhere():
    schemas = document()["components"]["schemas"]

    def references(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for each in value.values():
                yield from references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    names = {reference.removeprefix("#/components/schemas/") for reference in references(document())}
    assert names <= set(schemas)


def test_every_family_is_exposed(served):
    edge = served()
    edge.stored()
    edge.metrics.wrong("object", "bad_mac")
    text = edge.get("/metrics").text
    for name in COUNTERS:
        assert f"# TYPE {name}_total counter" in text
    for name in HISTOGRAMS:
        assert f"# TYPE {name} histogram" in text
    assert 'refrain_edge_wrong_values_total{reason="bad_mac",store="object"} 1.0' in text
