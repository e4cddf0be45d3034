from __future__ import annotations

import pytest

from airflow_provider_videos.api.containers import (
    AVI,
    AVIF,
    BMP,
    BY_CONTENT_TYPE,
    ENOUGH_TO_TELL,
    FLV,
    GIF,
    HEIC,
    HEIF,
    IMAGES,
    JP2,
    JPEG,
    JXL,
    MKV,
    MOV,
    MP4,
    MPEG_PS,
    MPEG_TS,
    OGG,
    PNG,
    TIFF,
    VIDEOS,
    WEBM,
    WEBP,
    Container,
    bytes_to_tell,
    is_text,
    sniff,
    unnamed_image,
)


def box(kind: bytes, body: bytes = b"") -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def ftyp(*brands: bytes) -> bytes:
    return box(b"ftyp", brands[0] + b"\0\0\2\0" + b"".join(brands[1:]))


EBML = b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\1\x42\xf7\x81\1"
BEFORE = (b"free", b"skip", b"wide", b"uuid", b"pnot", b"PICT", b"jP  ", b"prft", b"emsg", b"sidx")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x20ftypisom", MP4),
        (b"RIFF\0\0\0\0AVI ", AVI),
        (b"RF64\xff\xff\xff\xffAVI ", AVI),
        (b"RIFF\n\n\n\nAVI LIST", AVI),
        (b"\x1a\x45\xdf\xa3\1\0\0\0\0\0\0\0", WEBM),
        (EBML + b"\x42\x82\x84webm", WEBM),
        (EBML + b"\x42\x82\x88matroska", MKV),
        (EBML[:5] + b"\n" * 99 + b"\x42\x82\x88matroska", WEBM),  # too far behind to be its type
        (EBML[:5] + b"\n" * 98 + b"\x42\x82\x88matroska", MKV),
        (b"RIFF\0\0\0\0WEBP", WEBP),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", JPEG),
        (b"\x89PNG\r\n\x1a\n", PNG),
        (b"GIF87a", GIF),
        (b"GIF89a", GIF),
        (b"OggS\0\2", OGG),
        (b"FLV\1\5", FLV),
        (b"\0\0\1\xba\x44", MPEG_PS),
        ((b"\x47" + bytes(187)) * 3, MPEG_TS),
        ((b"\1\2\3\4\x47" + bytes(187)) * 3, MPEG_TS),
        (b"BM\x36\0\1\0\0\0\0\0", BMP),
        (b"II\x2a\0\x08", TIFF),
        (b"MM\0\x2a\0", TIFF),
        (b"\xff\x0a\xfa", JXL),
        (b"\0\0\0\x0cJXL \r\n\x87\n", JXL),
        (b'{"error": "no"}', None),
        (b"<!doctype html>", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"ftyp", None),
        (b"\0\0\0\0\0ftyp", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"RF64\0\0\0\0WEBP", None),
        (b"GIF88a", None),
        (b"OggSmobile", None),
        (b"\x47" + bytes(187) + b"\x47" + bytes(187), None),
        (b"\0\0\0\x20abcd" + bytes(24), None),
        (b"The free lunch that is no box", None),
        (b"", None),
    ],
)
def test_a_file_is_told_by_its_first_bytes(head, kind):
    assert sniff(head) is kind
    assert sniff(head[:ENOUGH_TO_TELL]) is kind


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        ([b"isom", b"mp41"], MP4),
        ([b"mp42", b"qt  "], MP4),
        ([b"M4V ", b"mp42"], MP4),
        ([b"3gp5"], MP4),
        ([b"f4v "], MP4),
        ([b"dash"], MP4),
        ([b"mp42", b"avif"], MP4),
        ([b"qt  "], MOV),
        ([b"qt  ", b"mp42"], MOV),
        ([b"avif", b"mif1"], AVIF),
        ([b"avis"], AVIF),
        *(([brand, b"mif1"], HEIC) for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")),
        ([b"mif1", b"miaf", b"avif"], AVIF),
        ([b"msf1", b"heic"], HEIC),
        ([b"mif1", b"miaf"], HEIF),
        ([b"msf1"], HEIF),
        ([b"jp2 "], JP2),
        ([b"jpx "], JP2),
    ],
)
def test_a_brand_tells_what_the_boxes_hold(brands, kind):
    assert sniff(ftyp(*brands)) is kind
    assert sniff(box(b"jP  ", b"\r\n\x87\n") + ftyp(*brands) + box(b"mdat")) is kind
    whole = ftyp(*brands)
    long = b"\0\0\0\1ftyp" + (len(whole) + 8).to_bytes(8, "big") + whole[8:]
    assert sniff(long) is kind


def test_what_only_looks_like_a_compatible_brand_is_none():
    assert sniff(box(b"ftyp", b"mif1avif")) is HEIF  # a version
    assert sniff(ftyp(b"mif1", b"xxav", b"ifxx")) is HEIF
    assert sniff(ftyp(b"mif1") + b"avif") is HEIF


@pytest.mark.parametrize("kind", BEFORE)
def test_padding_before_the_brand_tells_nothing(kind):
    padding = box(kind, b"xx")
    assert sniff(padding + ftyp(b"isom")) is MP4
    assert sniff(padding * 2 + ftyp(b"qt  ")) is MOV
    long_padding = b"\0\0\0\x01free" + (24).to_bytes(8, "big") + bytes(8)
    assert sniff(long_padding + ftyp(b"qt  ")) is MOV
    endless_padding = b"\0\0\0\x01free" + (24 + 2**56).to_bytes(8, "big") + bytes(8)
    assert sniff(endless_padding + ftyp(b"qt  ")) is MP4
    assert sniff(padding) is MP4


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (box(b"wide") + box(b"mdat", b"x"), MOV),
        (box(b"mdat", b"x") + box(b"moov"), MOV),
        (box(b"moov", b"x") + ftyp(b"isom"), MOV),
        (box(b"styp", b"msdh") + box(b"moof"), MP4),
        (box(b"moof") + box(b"mdat"), MP4),
        (box(b"free") + box(b"abcd") + ftyp(b"qt  "), MP4),
        (b"\0\0\0\1mdat" + (1 << 40).to_bytes(8, "big"), MOV),
    ],
)
def test_boxes_without_a_brand_are_quicktime_s_or_a_segment_s(head, kind):
    assert sniff(head) is kind


def test_a_box_that_is_too_small_does_not_hold_the_walk_up():
    assert sniff(b"\0\0\0\0free" + ftyp(b"qt  ")) is MOV


def test_more_is_read_where_padding_comes_first():
    long = box(b"free", bytes(10_000))
    assert bytes_to_tell(ftyp(b"isom") + long) == ENOUGH_TO_TELL
    assert bytes_to_tell(b"\x89PNG") == ENOUGH_TO_TELL
    assert bytes_to_tell(b"") == ENOUGH_TO_TELL
    assert bytes_to_tell(long[:100]) == 10_008 + ENOUGH_TO_TELL
    assert bytes_to_tell(long + box(b"skip") + box(b"mdat", b"xyz")) == 10_016 + ENOUGH_TO_TELL


@pytest.mark.parametrize(
    ("kind", "content_type", "extension", "family"),
    [
        (MP4, "video/mp4", "mp4", VIDEOS),
        (MOV, "video/quicktime", "mov", VIDEOS),
        (AVI, "video/x-msvideo", "avi", VIDEOS),
        (WEBM, "video/webm", "webm", VIDEOS),
        (MKV, "video/x-matroska", "mkv", VIDEOS),
        (OGG, "video/ogg", "ogv", VIDEOS),
        (FLV, "video/x-flv", "flv", VIDEOS),
        (MPEG_TS, "video/mp2t", "ts", VIDEOS),
        (MPEG_PS, "video/mpeg", "mpg", VIDEOS),
        (WEBP, "image/webp", "webp", IMAGES),
        (JPEG, "image/jpeg", "jpg", IMAGES),
        (PNG, "image/png", "png", IMAGES),
        (GIF, "image/gif", "gif", IMAGES),
        (AVIF, "image/avif", "avif", IMAGES),
        (HEIC, "image/heic", "heic", IMAGES),
        (HEIF, "image/heif", "heif", IMAGES),
        (BMP, "image/bmp", "bmp", IMAGES),
        (TIFF, "image/tiff", "tiff", IMAGES),
        (JXL, "image/jxl", "jxl", IMAGES),
        (JP2, "image/jp2", "jp2", IMAGES),
    ],
)
def test_a_format_has_its_names_and_its_family(kind, content_type, extension, family):
    assert (kind.content_type, kind.extension) == (content_type, extension)
    assert BY_CONTENT_TYPE[content_type] is Container.of(content_type) is kind
    assert {kind in VIDEOS: VIDEOS, kind in IMAGES: IMAGES}[True] is family
    assert len(BY_CONTENT_TYPE) == len(VIDEOS) + len(IMAGES) == 20


@pytest.mark.parametrize(
    ("content_type", "media_type", "extension"),
    [
        ("image/x-tga", "image/x-tga", "tga"),
        ("image/x-portable-pixmap", "image/x-portable-pixmap", "ppm"),
        ("image/vnd.nobody.knows", "image/vnd.nobody.knows", "knows"),
        ("image/one-two+three", "image/one-two+three", "three"),
        ("  Image/QOI ; q=1", "image/qoi", "qoi"),
        ("image/qoi\t", "image/qoi", "qoi"),
    ],
)
def test_an_image_without_a_name_here_is_what_its_server_calls_it(content_type, media_type, extension):
    container = Container(media_type, media_type, extension)
    assert unnamed_image(content_type, b"qoif\0\0\1") == container
    assert Container.of(media_type) == container


@pytest.mark.parametrize(
    ("content_type", "head"),
    [
        (None, b"qoif\0"),
        ("", b"qoif\0"),
        ("application/octet-stream", b"qoif\0"),
        ("video/x-new", b"qoif\0"),
        ("image/", b"qoif\0"),
        ("image/a/../../b", b"qoif\0"),
        ("image/" + "a" * 41, b"qoif\0"),
        ("image/png", b"qoif\0"),  # which it surely is not
        ("image/qoi", b'{"error": "no thumbnail"}'),
        ("image/svg+xml", b"<svg onload='alert(1)'/>"),
        ("image/qoi", b""),
    ],
)
def test_nothing_else_passes_for_an_image(content_type, head):
    assert unnamed_image(content_type, head) is None


def test_text_is_told_by_what_it_has_not():
    assert is_text(b"")
    assert is_text("Äh?\r\n\t\f\x1b[0m {}".encode())
    assert not any(is_text(bytes([control])) for control in {*range(32)} - {9, 10, 12, 13, 27})
    assert all(is_text(bytes([code])) for code in range(32, 256))
