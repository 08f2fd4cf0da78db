"""Each bench, tiny: it ends by itself, leaves nothing behind, and its last line is JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import group

ROOT = Path(__file__).parents[2]
WITHIN_S = 100


def bench(name, *arguments, status=0):
    """What it wrote: standard output, standard error."""
    command = [sys.executable, "-m", f"bench.{name}", *arguments]
    # A progress bar is no test's business, and a bench must not need a terminal.
    environment = {**os.environ, "TERM": "dumb"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as process:
        try:
            out, err = process.communicate(timeout=WITHIN_S)
        finally:
            process.kill()
    assert not group(process.pid)
    assert process.returncode == status, err
    return out, err


def result(out):
    said = json.loads(out.splitlines()[-1])
    assert said["machine"]["cores"] >= 1
    return said


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.jsonl"
    lines = ["Mind the gap. Thank you.", "你好，世界。", "Thank you.", "Mind the gap. Thank you."]
    path.write_text("".join(json.dumps({"lang": "en", "text": text}) + "\n" for text in lines))
    return path


@pytest.mark.parametrize("media_format", ["pcm", "wav", "flac"])
def test_hitrate_a_second_pass_is_all_hits_and_synthesises_nothing(texts, media_format):
    out, _ = bench("hitrate", "--corpus", str(texts), "--format", media_format, "--concurrency", "1")
    said = result(out)
    first, second = said["corpora"]["texts.jsonl"]
    assert said["refused"] == {}
    assert said["different"] == []
    assert said["verified"] == 3
    assert (first["requests"], first["misses"], first["hits"]["memory"]) == (4, 3, 1)
    assert first["segments"] == {"asked": 6, "fresh": 3}
    assert first["runs"] == {"ok": 3}
    assert first["characters"]["saved"] == len("Thank you.") + len("Mind the gap. Thank you.") - len(" ")
    assert second["hit_ratio"] == 1.0
    assert second["runs"] == {}
    assert second["characters"]["synthesised"] == 0
    assert "hits" in out


def test_hitrate_through_an_edge_that_runs_says_what_was_refused(up, tmp_path):
    (tmp_path / "texts.txt").write_text("Good morning.\n\N{BELL SYMBOL}\N{NULL}\n")
    with up("--engine", "tone") as it:
        out, err = bench("hitrate", "--corpus", str(tmp_path / "texts.txt"), "--passes", "1", "--url", it.url, status=1)
    assert "bad_text" in err
    (only,) = result(out)["corpora"]["texts.txt"]
    assert (only["misses"], only["other"]) == (1, {"400": 1})


def test_hitrate_says_plainly_what_it_lacks():
    _, err = bench("hitrate", "--corpus", "no-such-corpus", status=1)
    assert "no-such-corpus" in err
    _, err = bench("hitrate", "--corpus", "README.md", "--url", "http://127.0.0.1:9", status=1)
    assert "127.0.0.1:9" in err
    assert "Traceback" not in err


def test_latency_measures_each_tier_and_nothing_else():
    out, _ = bench("latency", "--rate", "40", "--miss-rate", "4", "--seconds", "0.5", "--texts", "4")
    rows = result(out)["rows"]
    measured = [(row["row"], row["method"]) for row in rows]
    assert measured == [(row, method) for row in ("memory", "valkey", "folder", "s3", "miss", "bare") for method in ("GET", "POST")]
    for row in rows:
        assert row["astray"] == {}
        assert 0 < row["first_byte_ms"]["p50"] <= row["total_ms"]["p99"] <= row["total_ms"]["max"]
        assert row["bytes"] > 10_000
    assert "x_bare" in rows[0]


def test_coldstart_counts_from_the_process_to_the_first_hit():
    out, _ = bench("coldstart", "--runs", "1")
    said = result(out)
    assert said["needless"] == []
    assert set(said["starts_ms"]) == {"python -m edge", "refrain edge"}
    for steps in said["starts_ms"].values():
        assert 0 < steps["listening"]["median"] < steps["hit"]["median"]
    assert "edge.app" in said["slowest_ms"]
