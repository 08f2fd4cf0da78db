"""The examples in the documents are run as they stand, and answer what they show."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from processes import eventually

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = re.compile(r"^```sh\n(.*?)^```\n(?:\n```(?:http|json)\n(.*?)^```$)?", flags=re.DOTALL | re.MULTILINE)
KEPT = re.compile(r"^\w+=.*\n", flags=re.MULTILINE)


@dataclass
class Example:
    """Commands, and the lines that they should answer, in any order; `...` is anything. Called, it says whether they did."""

    commands: str
    shown: list[str]
    folder: Path
    answer: str = ""

    def __call__(self):
        command = ["bash", "-euo", "pipefail", "-c", self.commands]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=30, check=False)
        self.answer = (done.stdout + done.stderr).replace("\r", "")
        return done.returncode == 0 and not self.missing()

    def missing(self):
        lines = self.answer.split("\n")
        patterns = {line: ".*".join(map(re.escape, line.split("..."))) for line in self.shown}
        return [line for line, pattern in patterns.items() if not any(re.fullmatch(pattern, each) for each in lines)]

    def __repr__(self):
        return f"{self.commands}\nshould answer {self.missing()}, but answers\n{self.answer[:3000]}"


def examples(page, folder, here, there):
    """A page's examples, asked of `there` instead of `here`. Each begins with the variables of those before it."""
    kept = ""
    for commands, shown in BLOCKS.findall((DOCS / page).read_text(encoding="utf-8").replace(here, there)):
        yield Example(kept + commands, shown.splitlines(), folder)
        kept += "".join(KEPT.findall(commands))


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples use curl")
def test_the_examples_answer_what_they_show(up, tmp_path):
    with up("--engine", "tone") as it:
        origin = it.region()["origins"][0]["url"]
        pages = [
            *examples("http.md", tmp_path, "http://127.0.0.1:8080", it.url),
            *examples("origin-protocol.md", tmp_path, "http://127.0.0.1:8090", origin),
        ]
        assert len(pages) > 10
        for example in pages:
            # Again and again: what an answer was made of is stored a moment after its last byte.
            eventually(example)
