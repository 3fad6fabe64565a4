import hashlib
import shutil
import subprocess

import pytest

from weclick.data.checksums import CHECKSUMS, check_sha256, checksum_problems, write_checksums
from weclick.errors import DataError


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "Daten ü"
    for name in ("a.png", "b c/d.png", "b c/e.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    write_checksums(root)
    return root


def test_what_is_as_it_was_has_no_problems(root, tmp_path):
    assert not list(checksum_problems(root))
    (root / "added.png").write_bytes(b"")
    assert not list(checksum_problems(root)), "a file without checksum may be added"
    assert not list(checksum_problems(tmp_path)), "nothing to compare with"


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_sha256sum_reads_the_file_too(root):
    done = subprocess.run(["sha256sum", "--check", "--strict", CHECKSUMS], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()) == (0, ["a.png: OK", "b c/d.png: OK", "b c/e.png: OK"])


def test_changed_and_missing_files_are_named(root):
    (root / "a.png").write_bytes(b"other")
    (root / "b c" / "e.png").unlink()
    changed, missing = checksum_problems(root)
    assert f"{root}/a.png differs from {CHECKSUMS}" in changed
    assert f"{root}/b c/e.png is missing" in missing


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "b c/../../secret"])
def test_checksums_of_files_elsewhere_are_refused(root, name):
    (root.parent / "secret").write_bytes(b"secret")
    (root / CHECKSUMS).write_text(f"{hashlib.sha256(b'secret').hexdigest()}  {name}\n")
    assert f"{root / CHECKSUMS}:1 is no line of sha256sum" in next(checksum_problems(root))


def test_a_damaged_list_is_a_problem(root):
    (root / CHECKSUMS).write_bytes((root / CHECKSUMS).read_bytes()[:-30] + b"\xff")
    (problem,) = checksum_problems(root)
    assert f"{root / CHECKSUMS}:3 is no line" in problem


def test_a_file_is_compared_with_a_stated_checksum(root):
    check_sha256(root / "a.png", hashlib.sha256(b"a.png").hexdigest().upper())
    with pytest.raises(DataError, match=rf"a\.png has the SHA-256 [0-9a-f]{{64}}, not {'0' * 64}; delete it"):
        check_sha256(root / "a.png", "0" * 64)
    with pytest.raises(DataError, match="is no file"):
        check_sha256(root, "0" * 64)
