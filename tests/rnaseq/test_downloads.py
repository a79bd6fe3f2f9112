"""Downloads from a server that fails: what comes is what is there, or nothing."""

from __future__ import annotations

import hashlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene.formats.downloads import Download, download, is_whole
from polytene.formats.remote import DownloadFailed, NotThere, Patience, Remote, Unlike, fetch_text
from polytene.testing import Archive

QUICK = Patience(tries=4, idle=5.0, wait=0.001)
DATA = bytes(range(256)) * 400
SIZE = len(DATA)
MD5 = hashlib.md5(DATA).hexdigest()
NAME = "x.fastq.gz"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Archive(tmp_path_factory.mktemp("served"), stall=0.2) as archive:
        yield archive


@pytest.fixture
def server(served):
    served.faults.clear()
    served.requests.clear()
    served.rate = 0.0
    (served.folder / NAME).write_bytes(DATA)
    return served


def remote(server, nbytes=SIZE, md5=MD5):
    return Remote(f"{server.url}/files/{NAME}", nbytes, md5)


@settings(max_examples=25)
@given(
    faults=st.lists(st.sampled_from(["truncate", "503", "429", "html", "stall", None]), max_size=6),
    known=st.booleans(),
)
def test_whatever_the_server_does_the_bytes_are_those_announced(served, faults, known):
    (served.folder / NAME).write_bytes(DATA)
    waiting = list(faults)
    served.fault = lambda name: waiting.pop(0) if waiting else None
    patience = Patience(tries=8, idle=5.0, wait=0.0)
    about = remote(served) if known else remote(served, None, None)
    got = Download(about, patience)
    try:
        assert b"".join(got.chunks()) == DATA
        assert (got.got, got.md5) == (len(DATA), MD5)
    finally:
        del served.fault


def test_a_part_is_gone_on_with_only_where_a_checksum_can_tell(server, tmp_path):
    path = tmp_path / NAME
    for md5, wanted in ((MD5, "bytes=1000-"), (None, None)):
        (tmp_path / f"{NAME}.part").write_bytes(DATA[:1000])
        server.requests.clear()
        download(remote(server, md5=md5), path, QUICK)
        assert server.requests == [(NAME, wanted)]
        assert path.read_bytes() == DATA
    assert is_whole(path, remote(server))
    assert not is_whole(path, remote(server, md5=None)), "only a checksum can tell"


def test_a_part_that_is_no_part_of_the_file_is_thrown_away(server, tmp_path):
    path, part = tmp_path / NAME, tmp_path / f"{NAME}.part"
    part.write_bytes(b"x" * 1000)
    with pytest.raises(Unlike, match="wrong-checksum"):
        download(remote(server), path, QUICK)
    assert not part.exists()
    part.write_bytes(DATA + b"more")
    download(remote(server), path, QUICK)
    assert path.read_bytes() == DATA


def test_a_file_that_changes_at_the_server_between_two_ranges(server):
    server.fail(NAME, "truncate")
    chunks = Download(remote(server, md5=None), QUICK).chunks()
    next(chunks)
    (server.folder / NAME).write_bytes(DATA[::-1])
    with pytest.raises(Unlike, match="changed"):
        list(chunks)


def test_another_size_than_announced(server):
    with pytest.raises(Unlike, match="wrong-size"):
        list(Download(remote(server, nbytes=5), QUICK).chunks())


def test_a_download_may_have_a_time_of_its_own(server):
    server.rate = 20_000
    with pytest.raises(DownloadFailed, match=r"not done in 0\.3 s"):
        list(Download(remote(server), Patience(tries=1, idle=5.0, total=0.3)).chunks())


def test_a_server_that_says_how_long_to_wait_is_believed(monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    patience = Patience(wait=1.0)
    patience.rest(1, DownloadFailed("server-busy", "x", 7.0))
    patience.rest(1, DownloadFailed("server-busy", "x", 3600.0))
    patience.rest(9, DownloadFailed("server-busy", "x"))
    patience.rest(3, DownloadFailed("cut-short", "x"))
    assert slept[:2] == [7.0, 60.0]
    assert slept[2] == 60.0
    assert 2.0 <= slept[3] <= 4.0


def test_a_small_text(server):
    url, ask = f"{server.url}/ena/portal/api/filereport", {"accession": "SRR1"}
    server.fail("portal", "503", 2)
    assert fetch_text(url, ask, QUICK).startswith("run_accession")
    server.fail("portal", "503", 9)
    with pytest.raises(DownloadFailed, match="server-busy"):
        fetch_text(url, ask, QUICK)
    with pytest.raises(NotThere):
        fetch_text(f"{server.url}/nothing", {}, QUICK)
    with pytest.raises(DownloadFailed, match="no-answer"):
        fetch_text("http://127.0.0.1:9/x", {}, QUICK)
