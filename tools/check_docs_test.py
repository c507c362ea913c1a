"""The tests of check_docs.py: each writes a small repository with one mistake, or with none, and says what is reported.

Run: `python3 tools/check_docs_test.py`. It deliberately does not look at this repository; check_docs.py does that.
"""

import pathlib
import tempfile
import unittest

from check_docs import mistakes

# A repository without a mistake: each test overwrites some of its files.
SOUND = {
    "README.md": "# Read me\n\nSee [the rules](docs/rules.md#what-holds) and [below](#try-it).\n\n## Try it\n",
    "docs/rules.md": "# Rules\n\n## What `holds`\n\nA bad event is refused (`a_bad_event_is_refused`). [Back](../README.md)\n",
    "src/lib.rs": "//! Invariant: a bad event is refused (tests: `a_bad_event_is_refused`).\n\nfn a_bad_event_is_refused() {}\n",
}


class CheckDocsTest(unittest.TestCase):
    def check(self, files, *expected):
        """Overwrites some files, and compares what is reported."""
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            for name, text in {**SOUND, **files}.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            self.assertEqual(mistakes(root), list(expected))

    # ---- Names ------------------------------------------------------------------------------------------------------------------

    def test_a_sound_repository_has_no_mistakes(self):
        self.check({})

    def test_a_test_that_does_not_exist_is_reported_in_a_page(self):
        self.check(
            {"docs/more.md": "# More\n\nHeld by\n`a_test_that_is_gone`.\n"},
            "docs/more.md:4: there is no test or other name `a_test_that_is_gone`",
        )

    def test_a_test_that_does_not_exist_is_reported_in_a_doc_comment(self):
        self.check(
            {"src/one.rs": "fn one() {\n    /// As `a_test_that_is_gone` shows.\n    let x = 1;\n}\n"},
            "src/one.rs:2: there is no test or other name `a_test_that_is_gone`",
        )

    def test_a_name_that_only_a_comment_has_does_not_exist(self):
        self.check(
            {"src/one.rs": "//! As `a_test_that_is_gone` shows.\n// fn a_test_that_is_gone() {}\n/* a_test_that_is_gone */\n"},
            "src/one.rs:1: there is no test or other name `a_test_that_is_gone`",
        )

    def test_names_that_code_uses_exist(self):
        self.check({
            "src/one.rs": "//! `a_field_of_json`, `a_word_of_the_code` and `a_rule_of_a_tool`.\n"
                          "const CODE: &str = \"// a_word_of_the_code\";\n",
            "events/one.json": '{"a_field_of_json": 1}',
            "tools/rules.py": "def a_rule_of_a_tool():\n    pass\n",
        })

    def test_quotes_in_characters_and_raw_strings_do_not_hide_code(self):
        quotes = "const Q: char = '\"';\nconst R: &str = r#\"\"\"#;\n"
        self.check({"src/one.rs": f"//! `a_name_after_the_quotes`\n{quotes}fn a_name_after_the_quotes() {{}}\n"})

    def test_what_is_between_fences_or_is_a_short_name_is_not_looked_at(self):
        self.check({"docs/more.md": "# More\n\n```sh\nrun `a_test_that_is_gone`\n```\n\n`not_a_test`, `A_TEST_THAT_IS_GONE`\n"})

    # ---- Invariants -------------------------------------------------------------------------------------------------------------

    def test_each_name_in_a_list_of_tests_has_to_be_a_function(self):
        self.check(
            {"src/one.rs": "//! Invariant: nothing is lost (tests: `a_bad_event_is_refused`,\n//! the suite `gone`, `../by_a_path.rs`).\n"
                           "const X: &str = \"gone\";\n"},
            "src/one.rs:2: there is no test `gone`",
        )

    def test_a_long_name_in_a_list_of_tests_is_reported_once(self):
        self.check(
            {"src/one.rs": "//! Invariant: nothing is lost (tests: `a_test_that_is_gone`).\n"},
            "src/one.rs:1: there is no test or other name `a_test_that_is_gone`",
        )

    def test_an_invariant_without_anything_that_keeps_it_is_reported(self):
        self.check(
            {"src/one.rs": "//! Invariant: nothing\n//! is lost.\n//!\n"
                           "//! Invariant: nothing is sent twice (checked by `tools/rules.py`).\n",
             "tools/rules.py": ""},
            "src/one.rs:1: this invariant names nothing that keeps it: add `(tests: …)` or `(checked by …)`",
        )

    def test_the_tests_of_the_next_invariant_are_not_those_of_this_one(self):
        self.check(
            {"src/one.rs": "//! Invariant: nothing is lost.\n//! Invariant: nothing is bad (tests: `a_bad_event_is_refused`).\n"},
            "src/one.rs:1: this invariant names nothing that keeps it: add `(tests: …)` or `(checked by …)`",
        )

    # ---- Paths and links --------------------------------------------------------------------------------------------------------

    def test_a_path_into_a_folder_of_the_repository_has_to_exist(self):
        self.check(
            {"docs/more.md": "# More\n\n`src/lib.rs`, `src/`, `src/<name>/lib.rs`, `elsewhere/lib.rs`, `src/gone.rs`\n"},
            "docs/more.md:3: there is no `src/gone.rs`",
        )

    def test_a_link_to_a_file_that_does_not_exist_is_reported(self):
        self.check(
            {"docs/more.md": "# More\n\n[gone](gone.md), [there](../README.md), ![picture](gone.png)\n\n[x]: gone.txt\n"},
            "docs/more.md:3: the link gone.md leads to no file",
            "docs/more.md:3: the link gone.png leads to no file",
            "docs/more.md:5: the link gone.txt leads to no file",
        )

    def test_a_link_to_a_heading_that_does_not_exist_is_reported(self):
        self.check(
            {"docs/more.md": "# More\n\n[a](rules.md#what-holds), [b](rules.md#what-is-gone), [c](#more), [d](#less)\n"},
            "docs/more.md:3: the link #less leads to no heading of more.md",
            "docs/more.md:3: the link rules.md#what-is-gone leads to no heading of rules.md",
        )

    def test_headings_of_the_same_words_are_told_apart_as_on_github(self):
        self.check({"docs/more.md": "# More\n\n## A & b\n\n## A & b\n\n[1](#a--b), [2](#a--b-1)\n"})

    def test_links_to_other_sites_and_links_in_code_are_not_followed(self):
        self.check({"docs/more.md": "# More\n\n[site](https://example.com/x#y), `[code](gone.md)`, [`code`](rules.md)\n"})

    # ---- The folder -------------------------------------------------------------------------------------------------------------

    def test_what_was_built_or_installed_is_not_read(self):
        self.check({name: "`a_test_that_is_gone`" for name in ("target/doc/x.md", ".venv/x.md", "tools/node/node_modules/x.md")})


if __name__ == "__main__":
    unittest.main()
