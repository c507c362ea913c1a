"""Checks the parts of tools/release.sh that build nothing: the versions it refuses, the notes that it takes from the changelog, and the
checksums. The rest takes many minutes, and runs when a release is made.

Run: `python tools/release_test.py`.
"""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHANGELOG = """# Changelog

## [Unreleased]

- Not yet.

## [1.10.0] - 2026-11-27

### Added

- Ten, after [0.2.0] and not before.

## [1.1.0] - 2026-11-20

## [0.2.0] - 2026-11-01

- Two.
"""


class TheRelease(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "tools").mkdir()
        shutil.copy(ROOT / "tools/release.sh", self.root / "tools")
        (self.root / "CHANGELOG.md").write_text(CHANGELOG)
        (self.root / "Cargo.toml").write_text('[workspace.package]\nversion = "1.1.0"\n')

    def run_it(self, *arguments):
        return subprocess.run([self.root / "tools/release.sh", *arguments], capture_output=True, text=True)

    def assert_refused(self, arguments, words):
        ended = self.run_it(*arguments)
        self.assertNotEqual(ended.returncode, 0, ended.stdout)
        self.assertIn(words, ended.stderr)
        self.assertFalse((self.root / "target").exists(), "it began to build")

    def test_a_version_that_is_not_declared_is_refused(self):
        self.assert_refused(["1.10.0"], "Cargo.toml says version 1.1.0, not 1.10.0")

    def test_a_version_without_a_word_in_the_changelog_is_refused(self):
        self.assert_refused(["1.1.0"], "CHANGELOG.md has no section ## [1.1.0] with text")
        self.assert_refused(["notes", "9.9.9"], "CHANGELOG.md has no section ## [9.9.9]")

    def test_no_version_is_refused(self):
        self.assert_refused([], "say which version")

    def test_the_notes_are_the_section_of_the_version_alone(self):
        self.assertEqual(self.run_it("notes", "0.2.0").stdout.strip(), "- Two.")
        self.assertEqual(self.run_it("notes", "1.10.0").stdout.split("\n\n")[0].strip(), "### Added")
        self.assertNotIn("Two", self.run_it("notes", "1.10.0").stdout)

    def test_the_last_release_of_this_repository_has_notes(self):
        heading = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## [") and "Unreleased" not in line)
        ended = subprocess.run([ROOT / "tools/release.sh", "notes", heading[4:].split("]")[0]], capture_output=True, text=True)
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def test_the_checksums_are_of_every_file_and_can_be_checked(self):
        files = self.root / "files"
        files.mkdir()
        for name in ("api-arm64.zip", "sbom.cdx.json"):
            (files / name).write_text(name)
        for _ in range(2):
            self.assertEqual(self.run_it("sums", str(files)).returncode, 0)
            lines = (files / "SHA256SUMS").read_text().splitlines()
            self.assertEqual([line.split("  ")[1] for line in lines], ["api-arm64.zip", "sbom.cdx.json"])
        checked = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
        self.assertEqual(subprocess.run(checked, cwd=files, capture_output=True).returncode, 0)
        (files / "api-arm64.zip").write_text("other")
        self.assertNotEqual(subprocess.run(checked, cwd=files, capture_output=True).returncode, 0)


if __name__ == "__main__":
    unittest.main()
