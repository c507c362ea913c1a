"""Tests of circles.py, on small crates that each have one circle or none."""

import pathlib
import tempfile
import unittest

from circles import circles, crate


def found(files: dict[str, str]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder)
        for name, text in files.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return circles(crate(source))


class CirclesTest(unittest.TestCase):
    def test_a_crate_whose_files_use_each_other_in_one_direction_has_none(self):
        self.assertEqual(found({"lib.rs": "mod a;\nmod b;\nuse a::A;", "a.rs": "use crate::b::B;\npub struct A;", "b.rs": "pub struct B;"}), [])

    def test_a_parent_and_its_child_may_use_each_other(self):
        self.assertEqual(found({"lib.rs": "mod a;\nuse a::A;\npub struct Root;", "a.rs": "use super::Root;\npub struct A;"}), [])

    def test_two_files_that_use_each_other_are_a_circle(self):
        files = {"lib.rs": "mod a;\nmod b;", "a.rs": "use crate::b::B;", "b.rs": "fn f() { crate::a::g() }"}
        self.assertEqual(found(files), ["crate::a -> crate::b -> crate::a"])

    def test_a_circle_through_a_re_export_is_found_where_the_name_is_defined(self):
        files = {
            "lib.rs": "mod one;\nmod two;",
            "one/mod.rs": "mod inner;\npub use inner::{First as Renamed, Other};",
            "one/inner.rs": "use crate::two::Two;",
            "two.rs": "use crate::one::Renamed;",
        }
        self.assertIn("crate::one::inner -> crate::two -> crate::one::inner", found(files))

    def test_passing_on_what_a_child_defines_is_no_use_of_it(self):
        files = {"lib.rs": "mod a;\nmod b;\npub use a::A;\npub struct Root;", "a.rs": "use crate::b::B;", "b.rs": "use crate::Root;"}
        self.assertEqual(found(files), [])

    def test_a_grandchild_that_uses_the_root_which_uses_it_is_a_circle(self):
        files = {"lib.rs": "mod a;\nfn f() { a::b::g() }\npub struct Root;", "a/mod.rs": "pub mod b;", "a/b.rs": "use crate::Root;"}
        self.assertEqual(found(files), ["crate -> crate::a::b -> crate"])

    def test_folders_at_the_top_are_held_to_one_direction_too(self):
        files = {
            "lib.rs": "mod one;\nmod two;",
            "one/mod.rs": "mod a;\npub mod b;",
            "one/a.rs": "use crate::two::c::C;",
            "one/b.rs": "pub struct B;",
            "two/mod.rs": "pub mod c;\nmod d;",
            "two/c.rs": "pub struct C;",
            "two/d.rs": "use crate::one::b::B;",
        }
        self.assertEqual(found(files), ["folders: crate::one -> crate::two -> crate::one"])

    def test_tests_and_comments_are_left_out(self):
        files = {
            "lib.rs": "mod a;\nmod b;",
            "a.rs": "// use crate::b::B;\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}\n",
            "b.rs": "use crate::a::A;",
        }
        self.assertEqual(found(files), [])


if __name__ == "__main__":
    unittest.main()
