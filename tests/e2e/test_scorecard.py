"""The promises, kept by real processes: an edge, a Valkey, two tone origins whose faults are told while they run."""

import asyncio
import json
import re
from contextlib import asynccontextmanager

import httpx
import pytest
from processes import eventually, running_up

SPEECH = "/v1/audio/speech"
PAIR = ("䥆8䲹G#ZiE2%V鸭文。 tts hi!", "祄P栰K Zk-07_席文。 tts hi!")
SOUND = {"rtf": 0, "fail": 0, "stall": 0, "cut": 0, "nan": 0, "silent": 0}


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    env = {"REFRAIN_TONE_SLOTS": "64"}
    with running_up(tmp_path_factory.mktemp("up"), "--engine", "tone", "--origins", "2", env=env) as it:
        yield it


@pytest.fixture
def stage(up):
    """The instance, its origins sound at first and at last."""
    with Stage(up) as stage:
        stage.tell_all(**SOUND)
        yield stage
        stage.tell_all(**SOUND)


class Stage:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def __init__(self, up):
        self.url = up.url
        self.origins = [origin["url"] for origin in up.region()["origins"]]
        self._client = httpx.Client(timeout=30)  # one: each makes a TLS context, which takes longer than the request

    def tell_all(self, **faults):
        for origin in self.origins:
            self.tell(origin, **faults)

    def tell(self, origin, **faults):
        self._client.post(f"{origin}/tone", json=faults).raise_for_status()

    def count(self, metric, *urls, **labels):
        """The sum of a metric's samples that carry `labels`."""
        total = 0.0
        for url in urls or (self.url,):
            for line in self._client.get(f"{url}/metrics").text.splitlines():
                name, _, said = line.rpartition(" ")
                if name.partition("{")[0] == metric and all(f'{key}="{value}"' in name for key, value in labels.items()):
                    total += float(said)
        return total

    def syntheses(self):
        return self.count("refrain_origin_segments_total", *self.origins)

    @asynccontextmanager
    async def clients(self):
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=self.url, timeout=60, limits=limits) as client:
            yield client


def body(text, **fields):
    return {"input": text, "response_format": "pcm", **fields}


async def speak(client, text, **fields):
    answer = await client.post(SPEECH, json=body(text, **fields))
    assert answer.status_code == 200, answer.text
    return answer


def test_a_thousand_equal_misses_are_one_synthesis_and_one_encoder(stage):
    stage.tell_all(rtf=1)
    syntheses, encoders = stage.syntheses(), stage.count("refrain_edge_encoders_total")

    async def scene():
        async with stage.clients() as client:
            return await asyncio.gather(*(speak(client, "One thousand callers.") for _ in range(1000)))

    answers = asyncio.run(scene())
    assert len({answer.content for answer in answers}) == 1
    assert stage.syntheses() - syntheses == stage.count("refrain_edge_encoders_total") - encoders == 1
    outcomes = [answer.headers["cache-status"] for answer in answers]
    assert sum("collapsed" in outcome for outcome in outcomes) == 999
    assert sum("fwd=miss" in outcome and "collapsed" not in outcome for outcome in outcomes) == 1


def test_fifty_who_join_late_hear_it_from_the_start_while_it_is_made(stage):
    stage.tell_all(rtf=1)
    text = "This sentence takes four seconds."
    encoders = stage.count("refrain_edge_encoders_total")
    events = []

    async def caller(client, number, *, delay):
        await delay
        async with client.stream("POST", SPEECH, json=body(text)) as answer:
            content = b""
            async for chunk in answer.aiter_raw():
                if not content:
                    events.append(("first", number))
                content += chunk
            events.append(("last", number))
            return content

    async def scene():
        async with stage.clients() as client:
            begun = asyncio.Event()

            async def leader():
                async with client.stream("POST", SPEECH, json=body(text)) as answer:
                    content = b""
                    async for chunk in answer.aiter_raw():
                        begun.set()
                        content += chunk
                    events.append(("last", "leader"))
                    return content

            leading = asyncio.create_task(leader())
            joining = [caller(client, number, delay=begun.wait()) for number in range(50)]
            return await asyncio.gather(leading, *joining)

    contents = asyncio.run(scene())
    assert len(set(contents)) == 1
    firsts = [at for at, (what, _) in enumerate(events) if what == "first"]
    lasts = [at for at, (what, _) in enumerate(events) if what == "last"]
    assert max(firsts) < min(lasts)  # everybody hears the start before anybody has heard the end
    assert stage.count("refrain_edge_encoders_total") - encoders == 1


def test_a_deterministic_failure_is_shared(tmp_path):
    with running_up(tmp_path, "--engine", "espeak") as up, Stage(up) as stage:

        async def scene():
            async with stage.clients() as client:
                text = body("你好，世界。", voice="en-us")
                return await asyncio.gather(*(client.post(SPEECH, json=text) for _ in range(100)))

        answers = asyncio.run(scene())
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "unspeakable")}
        calls = stage.count("refrain_edge_origin_calls_total", outcome="unspeakable")
        assert 1 <= calls <= 2  # of 100 requests: the first of two segments fails, and the second may have been asked for by then
        answer = httpx.post(f"{stage.url}{SPEECH}", json=body("你好，世界。", voice="cmn"), timeout=30)
        assert answer.status_code == 200


def test_what_must_not_be_stored_is_made_in_parallel(stage):
    stage.tell_all(rtf=1)
    syntheses = stage.syntheses()
    events = []

    async def caller(client):
        async with client.stream("POST", SPEECH, json=body("Keep nothing.", no_store=True)) as answer:
            assert "fwd=bypass" in answer.headers["cache-status"]
            events.append("begins")
            await answer.aread()
            events.append("has ended")

    async def scene():
        async with stage.clients() as client:
            await asyncio.gather(*(caller(client) for _ in range(10)))

    asyncio.run(scene())
    assert events == ["begins"] * 10 + ["has ended"] * 10
    assert stage.syntheses() - syntheses == 10
    again = httpx.post(f"{stage.url}{SPEECH}", json=body("Keep nothing."), timeout=30)
    assert "hit" not in again.headers["cache-status"]


def test_the_first_caller_hangs_up_and_the_others_hear_all(stage):
    stage.tell_all(rtf=1)
    syntheses = stage.syntheses()

    async def scene():
        async with stage.clients() as client:
            async with client.stream("POST", SPEECH, json=body("The first one leaves.")) as answer:
                heard = answer.aiter_raw()  # held: a generator that is dropped closes its connection
                await anext(heard)
                others = [asyncio.create_task(speak(client, "The first one leaves.")) for _ in range(5)]
                while await asyncio.to_thread(stage.count, "refrain_edge_requests_in_flight") < 7:
                    pass  # until all have joined; the scrape is one of the seven
            return await asyncio.gather(*others)

    answers = asyncio.run(scene())
    stage.tell_all(rtf=0)
    assert len({answer.content for answer in answers}) == 1
    assert stage.syntheses() - syntheses == 1
    plain = httpx.post(f"{stage.url}{SPEECH}", json=body("The first one leaves."), timeout=30)
    assert plain.content == answers[0].content


def test_an_origin_that_cuts_its_stream_breaks_the_answer_visibly_and_nothing_is_stored(stage):
    stage.tell_all(rtf=0.2, cut=1)
    text = "This will be cut off in the middle."
    with httpx.stream("POST", f"{stage.url}{SPEECH}", json=body(text)) as answer:
        address = answer.headers["content-location"]
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
    stage.tell_all(**SOUND)
    assert httpx.get(stage.url + address, headers={"cache-control": "only-if-cached"}).status_code == 504
    whole = httpx.get(stage.url + address)
    assert whole.status_code == 200
    assert "hit" not in whole.headers["cache-status"]


def test_an_origin_that_fails_gives_way_to_the_other(stage):
    stage.tell(stage.origins[0], fail=1)
    answer = httpx.post(f"{stage.url}{SPEECH}", json=body("The other one speaks."))
    assert answer.status_code == 200
    assert stage.count("refrain_edge_origin_calls_total", origin=stage.origins[0], outcome="origin_failed") >= 1


@pytest.mark.parametrize(("fault", "code"), [("silent", "bad_take"), ("nan", "bad_take"), ("fail", "origin_failed")])
def test_a_bad_take_is_tried_once_elsewhere_counted_and_never_kept(stage, fault, code):
    text = f"A take that is {fault}."
    stage.tell(stage.origins[0], **{fault: 1})
    assert httpx.post(f"{stage.url}{SPEECH}", json=body(f"Once: {text}")).status_code == 200
    stage.tell(stage.origins[1], **{fault: 1})
    calls = stage.count("refrain_edge_origin_calls_total", outcome=code)
    answer = httpx.post(f"{stage.url}{SPEECH}", json=body(text))
    assert (answer.status_code, answer.json()["code"]) == (502, code)
    assert stage.count("refrain_edge_origin_calls_total", outcome=code) - calls == 2
    stage.tell_all(**SOUND)
    again = httpx.post(f"{stage.url}{SPEECH}", json=body(text))
    assert again.status_code == 200
    assert "hit" not in again.headers["cache-status"]


def test_after_two_hundred_abandoned_streams_the_origin_works_on_nothing_new(stage):
    stage.tell_all(rtf=3)
    runs = stage.syntheses()

    async def abandon(client, number):
        async with client.stream("POST", SPEECH, json=body(f"Abandoned {number}.")) as answer:
            await anext(answer.aiter_raw())

    async def scene():
        async with stage.clients() as client:
            calls = [asyncio.create_task(abandon(client, number)) for number in range(200)]
            await asyncio.wait(calls, timeout=3)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(scene())
    stage.tell_all(rtf=0)
    answer = httpx.post(f"{stage.url}{SPEECH}", json=body("Is anybody there?"), timeout=30)
    assert answer.status_code == 200
    eventually(lambda: stage.count("refrain_edge_requests_in_flight") == 1, within=20)
    eventually(lambda: stage.count("refrain_origin_queued", *stage.origins) == 0, within=20)
    assert stage.syntheses() - runs <= 2 * 64 + 64 + 1  # what had a slot by then, and what took the slots of those that left


def test_the_pair_that_collides_has_two_keys_and_two_sounds(stage):
    answers = [httpx.post(f"{stage.url}{SPEECH}", json=body(text)) for text in PAIR for _ in range(2)]
    assert answers[0].content == answers[1].content != answers[2].content == answers[3].content
    addresses = {answer.headers["content-location"] for answer in answers}
    assert len(addresses) == 2
    for answer in answers[::2]:
        assert httpx.get(stage.url + answer.headers["content-location"]).content == answer.content


def test_the_first_sentence_of_ten_is_heard_while_the_others_are_made(stage):
    stage.tell_all(rtf=1)
    text = " ".join(f"This is sentence number {number}." for number in range(10))
    seconds = 0.0
    with httpx.stream("POST", f"{stage.url}{SPEECH}", json=body(text), timeout=60) as answer:
        timing = re.search(r"first_byte;dur=([0-9.]+)", answer.headers["server-timing"])
        for chunk in answer.iter_raw():
            seconds += len(chunk) / 48_000
    assert float(timing[1]) / 1000 < seconds / 10  # less than one sentence of ten


def test_metrics_are_the_contract(stage):
    httpx.post(f"{stage.url}{SPEECH}", json=body("Counted."))
    assert stage.count("refrain_edge_requests_total", route=SPEECH, status="200", cache="miss") >= 1
    assert stage.count("refrain_origin_segments_total", *stage.origins, model="tone", outcome="ok") >= 1
    assert json.loads(httpx.get(f"{stage.url}/v1/models").text)["object"] == "list"
