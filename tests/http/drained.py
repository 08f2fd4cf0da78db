"""`python drained.py PORT DRAIN_S RTF`: an edge's HTTP over the flow's stage, in a process that can be told to stop."""

import asyncio
import sys
from pathlib import Path

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "flow")]

from fakes import FakeOrigin
from served import Served

from edge.http.server import serve
from edge.settings import Edge


async def main(port, drain_s, rtf):
    served = Served(Edge(port=int(port), drain_s=float(drain_s)), origins=(FakeOrigin(rtf=float(rtf)),))
    await serve(served.front(), served.settings, served.lifecycle)


asyncio.run(main(*sys.argv[1:]))
