"""The folder of `refrain up`: who says what runs, where two share it."""

import json
import os
import subprocess
import sys

from edge.command.state import DataFolder


def test_what_a_living_up_wrote_stays_and_what_a_dead_one_wrote_does_not(tmp_path):
    folder = DataFolder(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        folder.running.write_text(json.dumps({"pid": other.pid, "edges": ["http://other"]}))
        folder.note({"edges": ["http://ours"]})
        folder.forget()
        assert json.loads(folder.running.read_text())["edges"] == ["http://other"]
        other.communicate(b"\n")
    folder.note({"edges": ["http://ours"]})
    assert json.loads(folder.running.read_text()) == {"edges": ["http://ours"], "pid": os.getpid()}
    folder.forget()
    assert not folder.running.exists()
    folder.forget()


def test_what_cannot_be_read_is_written_anew(tmp_path):
    folder = DataFolder(tmp_path)
    folder.running.write_text("{")
    folder.note({"edges": []})
    assert json.loads(folder.running.read_text())["pid"] == os.getpid()
