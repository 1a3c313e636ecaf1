"""Which task lists of a folder are found, and which of them .airflowignore leaves out."""

import os

import pytest

from pyrunner_airflow.discovery.folder import find_list, find_lists


@pytest.fixture
def tree(tmp_path):
    """Make files from their paths and texts, and say which lists are found among them."""

    def found(syntax="glob", **files):
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, errors="surrogateescape")
        return sorted(path.relative_to(tmp_path).as_posix() for path in find_lists(tmp_path, syntax))

    return found


def test_lists_in_the_folder_and_below_it_are_found_and_nothing_else(tree):
    files = {"a.lst": "", "x/config/b.lst": "", "x/b.py": "", "x/lst": "", "c.LST": "", ".hidden/d.lst": ""}
    assert tree(**files) == [".hidden/d.lst", "a.lst", "x/config/b.lst"]


def test_of_json_only_what_has_the_shape_of_a_list(tree, tmp_path):
    task = '{"tasks": {"A": {"module": "w", "worker": "W"}}}'
    others = {"package.json": '{"tasks": {"build": {}}}', "b.json": "[1", "c.json": "", "d.JSON": task}
    assert tree(**others, **{"x/a.json": task}) == ["x/a.json"]
    assert find_list(tmp_path / "x", "a.json", "glob") == tmp_path / "x/a.json"
    assert find_list(tmp_path, "package.json", "glob") is None


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ("b.lst", ["a.lst", "x/a.lst"]),
        ("x/", ["a.lst", "b.lst"]),
        ("/a.lst", ["b.lst", "x/a.lst", "x/b.lst"]),
        ("x/a.*", ["a.lst", "b.lst", "x/b.lst"]),
        ("*.lst\n!a.lst", ["a.lst", "x/a.lst"]),
        ("# b.lst\na.lst # not these", ["b.lst", "x/b.lst"]),
        ("", ["a.lst", "b.lst", "x/a.lst", "x/b.lst"]),
    ],
)
def test_airflowignore_holds_for_its_folder_and_below(tree, ignore, left):
    files = {"a.lst": "", "b.lst": "", "x/a.lst": "", "x/b.lst": ""}
    assert tree(**files, **{".airflowignore": ignore}) == left


def test_the_nearest_airflowignore_has_the_last_word(tree):
    ignores = {".airflowignore": "b.lst", "x/.airflowignore": "!b.lst\na.lst"}
    assert tree(**{"a.lst": "", "b.lst": "", "x/a.lst": "", "x/b.lst": ""}, **ignores) == ["a.lst", "x/b.lst"]


def test_airflowignore_may_hold_regular_expressions(tree):
    files = {"a.lst": "", "b.lst": "", "x/a1.lst": "", "x/a2.lst": "", ".airflowignore": r"x/a\d.*1?\.lst"}
    assert tree("regexp", **files) == ["a.lst", "b.lst"]


@pytest.mark.parametrize(
    ("syntax", "bad"), [("regexp", "*.bak"), ("glob", "!"), ("glob", "[z-a]"), ("glob", "a\\")]
)
def test_of_an_airflowignore_only_the_line_that_cannot_be_read_is_left_out_with_a_warning(
    tree, tmp_path, caplog, syntax, bad
):
    assert tree(syntax, **{"a.lst": "", "b.lst": "", ".airflowignore": f"{bad}\na.lst\n"}) == ["b.lst"]
    assert f"Ignoring invalid pattern {bad!r} from {tmp_path}/.airflowignore: " in caplog.text


def test_an_airflowignore_that_cannot_be_read_leaves_nothing_out_with_a_warning(tree, tmp_path, caplog):
    os.mkfifo(tmp_path / ".airflowignore")
    assert tree(**{"a.lst": ""}) == ["a.lst"]
    assert (
        f"{tmp_path}/.airflowignore can't be read, and leaves no file out: it is a named pipe" in caplog.text
    )


@pytest.mark.parametrize("syntax", ["regexp", "glob"])
def test_an_airflowignore_that_is_not_utf_8_means_names_with_the_same_bytes(tree, syntax):
    ignore = os.fsdecode(b"\xff.lst\na.lst")
    files = {"a.lst": "", "b.lst": "", os.fsdecode(b"\xff.lst"): ""}
    assert tree(syntax, **files, **{".airflowignore": ignore}) == ["b.lst"]


def test_links_are_followed_but_not_in_circles(tree, tmp_path):
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real", tmp_path / "link")
    os.symlink(tmp_path, tmp_path / "real/up")
    assert tree(**{"real/a.lst": ""}) in (["link/a.lst"], ["real/a.lst"])


def test_a_link_to_its_own_folder_neither_hides_a_list_nor_is_followed_for_ever(tree, tmp_path):
    os.symlink(".", tmp_path / "l")
    assert tree(**{"a.lst": ""}) == ["a.lst"]


@pytest.mark.parametrize(
    "pattern", ["*a" * 24 + "b", "*a**" * 24 + "b", "*[ab]?*a" * 24 + "b", "**/a*/" * 24]
)
def test_a_pattern_of_many_wildcards_is_soon_tried(tree, pattern):
    """Each place for each of them would take years."""
    lists = [f"{'a' * 60}.lst", f"{'a/' * 60}a.lst"]
    assert tree(**dict.fromkeys(lists, ""), **{".airflowignore": pattern}) == sorted(lists)


@pytest.mark.parametrize(
    ("pattern", "ignored"),
    [
        ("a*b*c.lst", ["abc.lst", "axbxc.lst", "abbcbc.lst", "abxc.lst"]),
        ("*b*b*b*", ["abbcbc.lst"]),
        ("*a?[bc]*c*.lst", ["abbcbc.lst", "axbxc.lst"]),
    ],
)
def test_several_wildcards_mean_what_they_mean_to_git(tree, pattern, ignored):
    lists = ["abc.lst", "axbxc.lst", "abbcbc.lst", "abxc.lst", "acb.lst", "b.lst"]
    left = tree(**dict.fromkeys(lists, ""), **{".airflowignore": pattern})
    assert left == sorted({*lists} - {*ignored})


def test_an_airflowignore_of_many_thousand_lines_is_none(tree, tmp_path, caplog):
    assert tree(**{"a.lst": "", ".airflowignore": "a.lst\n" * 10_000}) == ["a.lst"]
    assert "can't be read, and leaves no file out: it is larger than 0.05 MB" in caplog.text


def test_one_list_is_found_by_its_name_unless_it_is_ignored(tree, tmp_path):
    tree(**{"a.lst": "", "b.lst": "", "x/c.lst": "", ".airflowignore": "b.lst"})
    assert find_list(tmp_path, "a.lst", "glob") == tmp_path / "a.lst"
    assert find_list(tmp_path, "b.lst", "glob") is None
    assert find_list(tmp_path, "c.lst", "glob") is None
