"""The examples in the documents are run as they stand, and answer what they show."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = re.compile(r"^```sh\n(.*?)^```\n(?:\n```(?:http|json)\n(.*?)^```$)?", flags=re.DOTALL | re.MULTILINE)
END = "\n--- end of example ---\n"


def run(page, folder, **urls):
    """Each example of a page with what it should answer and what it did; all in one shell, for they build on each other."""
    examples = BLOCKS.findall((DOCS / page).read_text(encoding="utf-8"))
    assert examples
    script = "set -euo pipefail\n" + "".join(f"{code}printf '%s' '{END}'\n" for code, _ in examples)
    for said, url in urls.items():
        script = script.replace(f"http://127.0.0.1:{said.removeprefix('port_')}", url)
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False)  # noqa: S607 - the shell that people have
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split(END)[:-1]
    return [(code, shown, answer) for (code, shown), answer in zip(examples, answers, strict=True)]


def check(code, shown, answer):
    """Every line that is shown was answered, in any order; `...` is anything."""
    answered = answer.replace("\r", "").split("\n")
    for line in shown.splitlines():
        pattern = ".*".join(map(re.escape, line.split("...")))
        assert any(re.fullmatch(pattern, each) for each in answered), f"{code}\nshould answer\n{line}\nbut answers\n{answer[:2000]}"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples use curl")
def test_the_examples_of_the_edge_and_of_the_origin(up, tmp_path):
    with up("--engine", "tone") as it:
        for example in run("http.md", tmp_path, port_8080=it.edge):
            check(*example)
        for example in run("origin-protocol.md", tmp_path, port_8090=it.origins[0]):
            check(*example)
