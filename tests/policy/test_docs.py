"""The documents say what the code says: nothing is left out, nothing is made up, every link leads somewhere."""

import json
import re
from functools import cache
from pathlib import Path

import msgspec
import pytest

import edge.settings
import origin.settings
from edge.answer import Cache, Tier
from edge.http.openapi import document
from edge.metrics import COUNTERS, GAUGES, HISTOGRAMS
from edge.policy.envelope import Wrong
from edge.policy.verdict import Verdict
from edge.ports import Reason
from origin.engines.tone import PREFIX, Ways
from origin.metrics import Metrics, Outcome
from shared.errors import CODES
from shared.segments import segments
from shared.settings import load
from shared.speech import FIELDS
from shared.text import canonical

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
SCHEMAS = (edge.settings.Settings, origin.settings.Settings)


def names(pages):
    return [str(page.relative_to(ROOT)) for page in pages]


@cache
def sections(name):
    """What stands under each `###` heading of a page of docs/."""
    page = re.sub(r"^## .*?(?=^### |\Z)", "", (DOCS / name).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    parts = re.split(r"^### (.+)\n", page, flags=re.MULTILINE)[1:]
    titles = parts[::2]
    assert len(set(titles)) == len(titles), "a heading stands twice"
    return dict(zip(titles, parts[1::2], strict=True))


def fenced(page, language):
    """The blocks of code in `language` on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


# --- settings

SETTINGS = {
    f"{section.name}.{field.name}": field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    for schema in SCHEMAS
    for section in msgspec.structs.fields(schema)
    for field in msgspec.structs.fields(section.type)
}
TONE = {PREFIX + field.name.upper(): field.default for field in msgspec.structs.fields(Ways)}


def test_every_setting_has_its_heading_and_no_other():
    assert set(sections("settings.md")) == {*SETTINGS, *TONE}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_names_its_variable_and_its_default(name):
    variable = f"REFRAIN_{name.replace('.', '__').upper()}"
    said = " ".join(sections("settings.md")[name].split())
    assert said.startswith(f"`{variable}`, default `{json.dumps(SETTINGS[name])}` ")


@pytest.mark.parametrize("name", TONE)
def test_a_variable_of_the_tone_engine_names_its_default(name):
    assert sections("settings.md")[name].strip().startswith(f"Default `{json.dumps(TONE[name])}`.")


def test_the_example_loads_and_every_table_of_it_is_somebody_s(tmp_path):
    (example,) = fenced(DOCS / "settings.md", "toml")
    file = tmp_path / "refrain.toml"
    file.write_text(example, encoding="utf-8")
    loaded = [load(schema, {"REFRAIN_CONFIG": str(file)}) for schema in SCHEMAS]
    tables = {name for settings in loaded for name in settings.__struct_fields__}
    assert tables == set(re.findall(r"^\[(\w+)\]$", example, flags=re.MULTILINE))
    assert [settings == schema() for settings, schema in zip(loaded, SCHEMAS, strict=True)] == [False, False]


# --- errors


def test_every_error_code_has_its_heading_and_no_other():
    assert list(sections("errors.md")) == list(CODES), "in the order of the table"


@pytest.mark.parametrize("code", CODES)
def test_an_error_code_says_its_status_and_whether_to_try_again(code):
    again = "retryable" if CODES[code].retryable else "not retryable"
    said = sections("errors.md")[code].strip()
    assert said.startswith(f"{CODES[code].status}, {again}. ")
    assert len(said.split()) > 10, "what it means, what to do"


# --- metrics


def metrics():
    """Every metric as it is exposed: its kind and labels."""
    yield from ((f"{name}_total", "Counter", labels) for name, (_, labels) in COUNTERS.items())
    yield from ((name, "Histogram", labels) for name, (_, labels) in HISTOGRAMS.items())
    yield from ((name, "Gauge", ()) for name in GAUGES)
    of_origin = Metrics()
    # The origin's process turns the `_created` ones off.
    exposed = re.findall(r"^# TYPE (\S+)(?<!_created) (\S+)$", of_origin.text().decode(), flags=re.MULTILINE)
    made = [value for name, value in vars(of_origin).items() if not name.startswith("_")]
    # prometheus-client tells the labels of a metric that has counted nothing yet to nobody.
    yield from ((name, kind.title(), one._labelnames) for (name, kind), one in zip(exposed, made, strict=True))  # noqa: SLF001 - see above


METRICS = {name: (kind, tuple(labels)) for name, kind, labels in metrics()}


def test_every_metric_has_its_heading_and_no_other():
    assert set(sections("metrics.md")) == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_says_its_kind_and_labels(name):
    kind, labels = METRICS[name]
    said = f"Labels: {', '.join(f'`{label}`' for label in labels)}." if labels else "No labels."
    assert sections("metrics.md")[name].strip().startswith(f"{kind}. {said} ")


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_no_page_names_a_metric_that_there_is_not(page):
    """Queries included: a histogram is asked by its parts."""
    exposed = {f"{name}{part}" for name in METRICS for part in ("", "_bucket", "_sum", "_count")}
    assert set(re.findall(r"\brefrain_(?:edge|origin)_\w+", page.read_text(encoding="utf-8"))) <= exposed


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("refrain_edge_lookups_total", [*Tier, "none"]),
        ("refrain_edge_wrong_values_total", list(Wrong)),
        ("refrain_edge_store_errors_total", list(Reason)),
        ("refrain_edge_bad_takes_total", [verdict for verdict in Verdict if verdict is not Verdict.OK]),
        ("refrain_origin_segments_total", list(Outcome)),
    ],
)
def test_a_closed_list_of_reasons_is_written_out(metric, values):
    said = set(re.findall(r"`(\w+)`", sections("metrics.md")[metric].partition(". ")[2]))
    assert said - set(METRICS[metric][1]) == {str(value) for value in values}


def test_the_outcomes_of_the_cache_are_written_out():
    for page in ("metrics.md", "http.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        assert {str(cache) for cache in Cache if f"`{cache}`" not in text} == set(), page


# --- HTTP


def rows(page, heading):
    """The first cells of the table under a heading."""
    text = (DOCS / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(.+?)` \|", text, flags=re.MULTILINE)


def test_every_route_is_in_the_table_and_no_other():
    said = {(method, path) for row in rows("http.md", "Routes") for method, path in re.findall(r"(\w+) (/\S+)", row)}
    assert said == {(method.upper(), path) for path, methods in document()["paths"].items() for method in methods}


def test_every_field_of_a_speech_request_is_in_the_table_and_no_other():
    assert set(rows("http.md", "The speech request")) == FIELDS


# --- text


def examples(heading):
    """Two columns of JSON under a heading of text.md."""
    text = (DOCS / "text.md").read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `(.+?)` \| (.+?) \|", text, flags=re.MULTILINE)
    assert found
    return [(json.loads(left), [json.loads(cell) for cell in re.findall(r"`(.+?)`", right)]) for left, right in found]


@pytest.mark.parametrize("heading", ["What folds", "What does not fold"])
def test_the_examples_of_canonical_text(heading):
    for text, (said, *_) in examples(heading):
        assert canonical(text) == said
        assert (said == text) == (heading == "What does not fold")


def test_the_examples_of_segments():
    for text, said in examples("Segments"):
        assert [segment.text for segment in segments(canonical(text))] == said


# --- decisions


@pytest.mark.parametrize(("number", "page"), list(enumerate(sorted((DOCS / "decisions").glob("*.md")), 1)))
def test_a_decision_has_its_number_and_three_parts(number, page):
    text = page.read_text(encoding="utf-8")
    assert page.name.startswith(f"{number:04}-")
    assert text.startswith(f"# {number}. ")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == ["Context", "Decision", "Consequence"]


# --- links


def anchors(page):
    """The headings of a page as addresses, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        assert ":" not in path, f"{target}: no links to elsewhere"
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert ROOT in there.parents, target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_path_of_the_project_that_is_named_is_there(page):
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:edge|origin|shared|tests|bench|docs|infra|requirements)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path
