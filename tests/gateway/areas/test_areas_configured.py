"""`[big]` of sources.toml: BIG's own server without it, and every mistake told at once without a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.big.layers import BIG_ADDRESS, ArcGisLayer
from connectors.big.ogc_features import OgcFeatures
from connectors.big.wfs import WfsLayer
from connectors.transport.client import Transport
from gateway.areas.configured import MapServer, read_map_server
from gateway.errors import NotFound, SettingsInvalid
from gateway.sources.configured import read_sources

LAYERS = '[big.layers]\nregency = "{}"\n'


def read(folder: Path, text: str) -> MapServer:
    path = folder / "sources.toml"
    path.write_text(text, encoding="utf-8")
    return read_map_server(path)


@pytest.mark.anyio
async def test_without_a_section_it_is_big_s_own_server_asked_gently_and_patiently(tmp_path: Path) -> None:
    for server in (read_map_server(None), read(tmp_path, ""), read(tmp_path, "[big]\n")):
        settings = server.settings
        assert (settings.base_url, settings.name) == (BIG_ADDRESS, "big")
        assert (settings.attempt_timeout_s, settings.max_body_bytes, settings.concurrency) == (
            60,
            50_000_000,
            2,
        )
        async with Transport(settings) as transport:
            layer = server.driver("village", transport)
            assert isinstance(layer, ArcGisLayer)
            assert layer.path == "/BATASWILAYAH/BATAS_DESAKEL_AR/MapServer/0"
            with pytest.raises(
                NotFound, match="holds a province; configured levels: regency, district, village"
            ):
                server.driver("province", transport)


@pytest.mark.anyio
async def test_another_server_is_read_with_the_driver_that_it_speaks(tmp_path: Path) -> None:
    head = '[big]\nbase_url = "https://maps.example.go.id"\npage_size = 50\nconcurrency = 1\n'
    arcgis = read(tmp_path, f"{head}tolerance_deg = 0.0001\n{LAYERS.format('/kab/FeatureServer/3')}")
    ogc = read(tmp_path, f'{head}driver = "ogc_features"\n{LAYERS.format("kab")}')
    wfs = read(
        tmp_path,
        f'{head}driver = "wfs"\npath = "/cgi"\nextra = {{map = "kab"}}\n{LAYERS.format("ms:kab")}',
    )
    assert arcgis.settings.concurrency == 1
    async with Transport(arcgis.settings) as transport:
        assert arcgis.driver("regency", transport) == ArcGisLayer(
            transport, "/kab/FeatureServer/3", 50, 0.0001
        )
        assert ogc.driver("regency", transport) == OgcFeatures(transport, "kab", 50)
        assert wfs.driver("regency", transport) == WfsLayer(
            transport, "/cgi", "ms:kab", 50, extra={"map": "kab"}
        )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("big = 3\n", "big is not a section"),
        ("[big]\nsecret = 'x'\n", "big.secret is not a key of this file"),
        ("[big]\ndriver = 'wms'\n", "big.driver"),
        ("[big]\nbase_url = 'ftp://x'\n" + LAYERS.format("/a"), "base_url must read http"),
        ("[big]\nbase_url = 'https://x.go.id'\n", r"\[big.layers\] is missing"),
        ("[big]\ndriver = 'wfs'\n", r"\[big.layers\] is missing"),
        ("[big]\n" + LAYERS.format("kab"), "a path that begins with /"),
        ("[big]\n[big.layers]\nkabupaten = '/a'\n", r"big\.layers\.kabupaten"),
        ("[big]\n" + LAYERS.format("/a?token=1"), "name a layer"),
        ("[big]\npage_size = 0\n", "big.page_size"),
        ("[big\n", "cannot be read as TOML"),
    ],
)
def test_a_mistake_is_told_where_it_stands(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsInvalid, match=told):
        read(tmp_path, text)


def test_all_mistakes_are_told_at_once_and_nothing_that_stood_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        read(tmp_path, "[big]\ndriver = 'rahasia'\nconcurrency = 'rahasia'\nrahasia_key = 1\n")
    assert len(refused.value.problems) == 3
    assert "'rahasia'" not in str(refused.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="FileNotFoundError"):
        read_map_server(tmp_path / "sources.toml")


def test_the_reader_of_other_sources_passes_the_section_over(tmp_path: Path) -> None:
    read(tmp_path, "[big]\nconcurrency = 1\n")
    assert read_sources(tmp_path / "sources.toml").sources == ()
