"""Extraction of a synthetic tree's frames from archives like Cityscapes' own."""

import shutil
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from weclick.data.cityscapes_archives import LABELLED, MASKS, SEQUENCE, archive_name
from weclick.data.dataset import DataSet
from weclick.data.extract_cityscapes import Need, extract_cityscapes
from weclick.data.options import ClipOptions
from weclick.errors import DataError, DiskError
from weclick.synthetic import write_synthetic

TARGET, FRAMES = 7, 12


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A training set with long snippets, and one labelled frame per val snippet."""
    root = tmp_path_factory.mktemp("tree")
    write_synthetic(root, train=2, val=2, frames=FRAMES, target=TARGET, size=(32, 64))
    for split in ("train", "val"):
        (root / "leftImg8bit" / split).mkdir(parents=True, exist_ok=True)
    for path in root.glob("*/val/*/*"):
        number = int(path.stem.split("_")[2])
        if path.is_relative_to(root / MASKS) and number != TARGET:
            path.unlink()
        elif path.is_relative_to(root / SEQUENCE) and number == TARGET:
            labelled = root / LABELLED / path.relative_to(root / SEQUENCE)
            labelled.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, labelled)
    return root


def pack(root, folder, archive):
    """Write a folder of a data set as an archive, with files that the official ones contain too."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("README", "text")
        for path in sorted((root / folder).rglob("*.*")):
            file.write(path, path.relative_to(root).as_posix())
            if path.stem.endswith("labelIds"):
                other = path.relative_to(root).as_posix()
                file.writestr(other.replace("labelIds.png", "polygons.json"), "{}")
                file.writestr(other.replace("labelIds", "color"), b"colours")
    return archive


@pytest.fixture(scope="module")
def packed(tree, tmp_path_factory):
    """The folder with the three archives. Tests must not change it."""
    folder = tmp_path_factory.mktemp("archives")
    for name in (MASKS, LABELLED, SEQUENCE):
        pack(tree, name, folder / archive_name(name))
    return folder


@pytest.fixture
def archives(packed, tmp_path):
    """The three archives, for tests that change them."""
    return shutil.copytree(packed, tmp_path / "archives")


def need(neighbours=2, stride=1, sides="past", **more):
    return Need(ClipOptions(neighbours, stride, sides), **more)


def files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def numbers(root, split):
    return sorted({int(path.stem.split("_")[2]) for path in root.glob(f"leftImg8bit*/{split}/*/*")})


def test_only_what_is_needed_is_extracted_as_it_is(packed, tree, tmp_path):
    calls = []
    result = extract_cityscapes(packed, tmp_path / "out", need(), progress=lambda *call: calls.append(call))
    written = files(tmp_path / "out")
    assert written.items() <= files(tree).items()
    assert numbers(tmp_path / "out", "train") == [TARGET - 2, TARGET - 1, TARGET]
    assert numbers(tmp_path / "out", "val") == [TARGET - 2, TARGET - 1, TARGET, TARGET + 1]
    assert {name for name in files(tree) if name.startswith(MASKS)} <= written.keys()
    assert not any(f"_{TARGET:06d}_" in name for name in written if name.startswith(SEQUENCE))
    assert (result.extracted, result.existing, result.short) == (len(written), 0, ())
    assert calls[-1] == (result.size, result.size)
    assert result.size == sum(map(len, written.values()))


@pytest.mark.parametrize(
    ("options", "train"),
    [
        ({"neighbours": 0}, [7]),
        ({"neighbours": 3, "stride": 2}, [*range(1, 8)]),
        ({"neighbours": 3, "sides": "both"}, [5, 6, 7, 8]),
        ({"neighbours": 9, "sides": "both"}, [*range(2, 12)]),
        ({"neighbours": 2, "unlabelled": True}, [*range(3, 8)]),
    ],
)
def test_clips_and_pairs_are_those_of_the_whole_data_set(packed, tree, tmp_path, options, train):
    wanted = need(**options)
    extract_cityscapes(packed, tmp_path, wanted)
    assert numbers(tmp_path, "train") == train
    whole, part = DataSet.open(tree), DataSet.open(tmp_path)
    for split in ("train", "val"):
        targets = [frame.key for frame in whole.labelled(split)]
        clips, same = (data.clips(split, targets, wanted.clips) for data in (whole, part))
        assert [(clip.target.key, clip.offsets) for clip in clips] == [(c.target.key, c.offsets) for c in same]
        if wanted.unlabelled and split == "train":
            around = [frame.key for clip in clips for frame in clip.neighbours]
            clips, same = (data.clips(split, around, wanted.clips) for data in (whole, part))
            assert [clip.offsets for clip in clips] == [clip.offsets for clip in same]
    for segment in part.segments("val"):
        assert all(segment.at(number) for number in (TARGET - 1, TARGET, TARGET + 1))


def test_labelled_frames_with_too_few_neighbours_are_named(packed, tmp_path):
    result = extract_cityscapes(packed, tmp_path, need(neighbours=TARGET + 1))
    assert len(result.short) == 4
    assert {key.number for key in result.short} == {TARGET}


def test_nothing_is_extracted_twice_and_only_other_content_is_replaced(packed, tmp_path, monkeypatch):
    first = extract_cityscapes(packed, tmp_path, need())
    before = files(tmp_path)
    names = sorted(before)
    (tmp_path / names[0]).write_bytes(b"")
    (tmp_path / names[1]).write_bytes(before[names[1]][::-1])  # right size, wrong CRC
    (tmp_path / names[2]).unlink()
    times = {name: (tmp_path / name).stat().st_mtime_ns for name in names[3:]}
    second = extract_cityscapes(packed, tmp_path, need())
    assert (second.extracted, second.existing) == (3, first.extracted - 3)
    assert files(tmp_path) == before
    assert times == {name: (tmp_path / name).stat().st_mtime_ns for name in names[3:]}
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    assert extract_cityscapes(packed, tmp_path, need()).extracted == 0


def test_an_interrupted_extraction_leaves_whole_files_and_goes_on(packed, tree, tmp_path):
    def interrupt(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_cityscapes(packed, tmp_path, need(), progress=interrupt)
    there = files(tmp_path)
    assert there
    assert there.items() <= files(tree).items()
    assert extract_cityscapes(packed, tmp_path, need()).existing == len(there)


@pytest.mark.parametrize("place", ["{name}.zip", "{name}/{name}.zip", "{name}.zip/{name}.zip"])
def test_archives_may_lie_in_folders_of_their_names(packed, tmp_path, place):
    for path in packed.iterdir():
        target = tmp_path / "in" / place.format(name=path.stem)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    extract_cityscapes(tmp_path / "in", tmp_path / "out", need())
    assert numbers(tmp_path / "out", "train") == [5, 6, 7]


@pytest.mark.parametrize("place", ["", "{name}", "{name}.zip"])
def test_archives_may_be_unpacked(tree, packed, tmp_path, place):
    for folder in (MASKS, LABELLED, SEQUENCE):
        name = archive_name(folder).removesuffix(".zip")
        shutil.copytree(tree / folder, tmp_path / "in" / place.format(name=name) / folder)
    extract_cityscapes(packed, tmp_path / "expected", need())
    assert extract_cityscapes(tmp_path / "in", tmp_path / "out", need()).existing == 0
    assert files(tmp_path / "out") == files(tmp_path / "expected")
    assert extract_cityscapes(tmp_path / "in", tmp_path / "out", need()).extracted == 0


def test_what_is_unpacked_in_the_root_stays_there(archives, tree):
    for folder in (MASKS, LABELLED):
        (archives / archive_name(folder)).unlink()
        shutil.copytree(tree / folder, archives / folder)
    result = extract_cityscapes(archives, archives, need())
    assert result.existing > 0
    assert numbers(archives, "train") == [5, 6, 7]
    assert all(path.startswith(SEQUENCE) for path in files(archives).keys() - files(tree).keys())


def test_a_member_cannot_be_written_outside_of_the_root(archives, tmp_path):
    with zipfile.ZipFile(archives / archive_name(MASKS), "a") as file:
        file.writestr("../gtFine/train/../../../evil_000000_000007_gtFine_labelIds.png", b"evil")
        file.writestr("gtFine/train/../evil_000000_000007_gtFine_labelIds.png", b"evil")
    extract_cityscapes(archives, tmp_path / "deep" / "out", need())
    assert not list(tmp_path.rglob("*evil*"))


# Refusals


def refused(archives, root, *words, **options):
    with pytest.raises(DataError) as caught:
        extract_cityscapes(archives, root, need(**options))
    assert "\n" not in str(caught.value)
    for word in words:
        assert str(word) in str(caught.value)


def test_every_missing_archive_is_named_with_its_source(archives, tmp_path):
    (archives / archive_name(MASKS)).unlink()
    refused(archives, tmp_path / "out", archives, "lacks gtFine_trainvaltest.zip;", "cityscapes-dataset.com")
    (archives / archive_name(SEQUENCE)).unlink()
    both = "gtFine_trainvaltest.zip, leftImg8bit_sequence_trainvaltest.zip"
    refused(archives, tmp_path / "out", both, "--data.clips.neighbours 0 --pairs false")
    assert not (tmp_path / "out").exists()
    refused(tmp_path / "nowhere", tmp_path / "out", "nowhere is no folder")


def test_sequences_are_not_required_where_nothing_of_them_is_needed(archives, tmp_path):
    (archives / archive_name(SEQUENCE)).unlink()
    extract_cityscapes(archives, tmp_path / "out", need(neighbours=0, pairs=False))
    assert numbers(tmp_path / "out", "val") == [TARGET]


def test_a_truncated_archive_is_named_with_its_size(archives, tmp_path):
    archive = archives / archive_name(SEQUENCE)
    archive.write_bytes(archive.read_bytes()[:-100])
    refused(archives, tmp_path / "out", archive, f"{archive.stat().st_size} bytes", "download it again")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_is_named_and_the_rest_is_kept(archives, tree, tmp_path, method):
    archive = archives / archive_name(SEQUENCE)
    with zipfile.ZipFile(archive) as file:
        info = next(i for i in file.infolist() if f"_{TARGET - 1:06d}_" in i.filename)
        members = {i.filename: file.read(i) for i in file.infolist()}
    with zipfile.ZipFile(archive, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
        start = file.getinfo(info.filename).header_offset + 30 + len(info.filename)
        size = file.getinfo(info.filename).compress_size
    raw = bytearray(archive.read_bytes())
    raw[start + size // 2] ^= 255
    archive.write_bytes(raw)
    refused(archives, tmp_path / "out", archive, f"damaged at {info.filename}", "download it again")
    assert files(tmp_path / "out").items() <= files(tree).items()
    assert info.filename not in files(tmp_path / "out")
    archive.unlink()
    pack(tree, SEQUENCE, archive)
    assert extract_cityscapes(archives, tmp_path / "out", need()).existing > 0


def test_an_archive_of_something_else_is_refused(archives, tmp_path):
    shutil.copy(archives / archive_name(MASKS), archives / archive_name(LABELLED))
    refused(archives, tmp_path / "out", archives / archive_name(LABELLED), "holds no leftImg8bit/")


def test_masks_without_images_are_refused_with_the_archive_that_lacks_them(archives, tree, tmp_path):
    part = shutil.copytree(tree, tmp_path / "part")
    for path in part.glob("leftImg8bit*/train/*/*_000000_000007_*"):
        path.unlink()
    for folder in (LABELLED, SEQUENCE):
        pack(part, folder, archives / archive_name(folder))
    refused(archives, tmp_path / "out", archives / archive_name(LABELLED), "lacks the images of 1 masks", "_000000:7")


def test_a_full_disk_is_refused_before_anything_is_written(packed, tmp_path, monkeypatch):
    usage = namedtuple("Usage", "total used free")
    asked = []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(Path(path)) or usage(0, 0, 10))
    with pytest.raises(DiskError, match=r"not yet/out needs .* GB, but .* has 0\.00 GB free; free some space"):
        extract_cityscapes(packed, tmp_path / "not yet" / "out", need())
    assert asked == [tmp_path]
    assert not (tmp_path / "not yet").exists()
