"""Consumers and regions that a text names and that do not exist, each told with its line."""

from __future__ import annotations

from pathlib import Path

from gateway.agreements.folders import PolicyFile, read_folder
from gateway.agreements.named import unknown_regions, unregistered
from policies.library import load_policies
from tests.gateway.agreements.bureau import SHIPPED

FOLDER = Path("git")


def _agreement(text: str) -> PolicyFile:
    return PolicyFile("agreement", "sample", text.encode(), b"")


def test_whoever_is_not_registered_is_told_with_file_and_line_and_what_to_do() -> None:
    texts = ["id: sample\nconsumer: dinas-sosial  # ours\n", 'id: sample\r\nconsumer: "dinas-sosial"\r\n']
    for text in texts:
        (told,) = unregistered([_agreement(text)], {"bpjs"}, FOLDER)
        assert told.startswith("git/agreements/sample.yaml:2: consumer: expected one of the registered")
        assert "`gapura consumers add dinas-sosial`" in told
        assert list(unregistered([_agreement(text)], {"bpjs", "dinas-sosial"}, FOLDER)) == []


def test_while_nobody_is_registered_and_of_other_kinds_of_texts_nothing_is_said() -> None:
    text = "consumer: dinas-sosial\n"
    assert list(unregistered([_agreement(text)], set(), FOLDER)) == []
    programme = PolicyFile("programme", "pkh", text.encode(), b"")
    assert list(unregistered([programme], {"bpjs"}, FOLDER)) == []


def test_the_consumer_of_every_shipped_agreement_is_found() -> None:
    files = [file for file in read_folder(SHIPPED) if file.kind == "agreement"]
    assert len(list(unregistered(files, {"nobody-of-these"}, SHIPPED))) == len(files)
    consumers = {one.consumer for one in load_policies(SHIPPED).agreements}
    assert list(unregistered(files, consumers, SHIPPED)) == []


def test_a_region_out_of_force_is_told_with_the_line_of_its_list() -> None:
    text = b'# "35.99" was meant\nscope:\n  regions:\n    - "35.78"\n    - "35.99"\n'
    (told,) = unknown_regions({"35.78", "35.99"}, text, "sample.yaml")
    assert told.startswith("sample.yaml:5: scope.regions: expected the code of a region in force, got 35.99")
    assert list(unknown_regions({"35", "35.78"}, text, "sample.yaml")) == []
    assert list(unknown_regions(None, text, "sample.yaml")) == []
