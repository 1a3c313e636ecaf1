"""`pyrunner-airflow fmt`."""

import os
import subprocess

import pytest
from command import PROGRAM, on_terminal, run

UNTIDY = "# a comment | stays\n10|-1|1|0|First|workers|First\n2|10|1|0|B|workers|B\n"
TIDY = "# a comment | stays\n10|-1|1|0|First|workers|First\n2 |10|1|0|B    |workers|B\n"
BROKEN = "1|7|1|0|A|workers|A\n"


@pytest.fixture
def lst(tmp_path):
    def write(text=UNTIDY, name="my.lst"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


class TestAFile:
    def test_its_columns_are_aligned(self, lst):
        path = lst()
        assert run("fmt", path) == (0, "", "Lists: 1 reformatted\n")
        assert path.read_text() == TIDY

    def test_a_second_time_it_is_not_written(self, lst):
        path = lst(TIDY)
        os.utime(path, (1, 1))
        assert run("fmt", path) == (0, "", "Lists: 1 left as they were\n")
        assert path.stat().st_mtime == 1

    def test_line_ends_and_byte_order_mark_stay(self, lst):
        path = lst(("\ufeff" + UNTIDY.replace("\n", "\r\n")).encode())
        assert run("fmt", path).code == 0
        assert path.read_bytes() == ("\ufeff" + TIDY.replace("\n", "\r\n")).encode()

    def test_its_name_may_be_as_long_as_a_name_can_be(self, lst):
        assert run("fmt", lst(name="x" * 251 + ".lst")).code == 0

    def test_its_mode_stays(self, lst):
        path = lst()
        path.chmod(0o640)
        assert run("fmt", path).code == 0
        assert path.stat().st_mode & 0o7777 == 0o640

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_so_does_its_owner(self, lst):
        path = lst()
        os.chown(path, 12345, 23456)
        assert run("fmt", path).code == 0
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)

    def test_a_link_stays_one(self, lst, tmp_path):
        path, link = lst(name="elsewhere/my.lst"), tmp_path / "link.lst"
        link.symlink_to("elsewhere/my.lst")
        assert run("fmt", link).code == 0
        assert link.is_symlink()
        assert path.read_text() == TIDY

    def test_nothing_else_is_left_in_its_folder(self, lst):
        path = lst()
        run("fmt", path)
        assert list(path.parent.iterdir()) == [path]

    def test_the_file_is_replaced_in_one_step(self, lst):
        path = lst()
        with path.open() as reader:
            run("fmt", path)
            assert reader.read() == UNTIDY


class TestErrors:
    def test_a_list_with_errors_is_shown_and_stays(self, lst):
        path = lst(BROKEN)
        done = run("fmt", path)
        assert (done.code, done.out) == (2, "")
        assert f"{path}:1:3: error[unknown-parent]" in done.err
        assert path.read_text() == BROKEN

    def test_the_others_are_formatted_all_the_same(self, lst):
        broken, good = lst(BROKEN, "a.lst"), lst(UNTIDY, "b.lst")
        done = run("fmt", broken, good)
        assert done.code == 2
        assert done.err.endswith("Lists: 1 reformatted, 1 not formatted\n")
        assert good.read_text() == TIDY

    def test_a_file_that_is_not_there(self, lst):
        done = run("fmt", lst().with_name("mi.lst"))
        assert done.code == 2
        assert "Did you mean my.lst?" in done.err

    def test_a_named_pipe_which_nobody_writes_to(self, tmp_path):
        os.mkfifo(tmp_path / "my.lst")
        code, _, errors = run("fmt", tmp_path / "my.lst")
        assert (code, "it is a named pipe, not a file" in errors) == (2, True)

    def test_bytes_that_are_not_utf8(self, lst):
        data = "1|-1|1|0|Größe|workers|A".encode("latin-1")
        path = lst(data)
        assert run("fmt", path).code == 2
        assert path.read_bytes() == data

    def test_a_disk_that_takes_no_more(self, lst):
        path = lst()
        done = subprocess.run(
            ["prlimit", "--fsize=10", *PROGRAM, "fmt", path], stderr=subprocess.PIPE, text=True
        )
        assert done.returncode == 2
        assert done.stderr == f"{path}: error: it can't be written: File too large\nLists: 1 not formatted\n"
        assert path.read_text() == UNTIDY
        assert list(path.parent.iterdir()) == [path]

    def test_a_file_that_this_user_must_not_write(self, lst):
        path = lst()
        path.chmod(0o444)
        power = "-dac_override,-dac_read_search"  # what lets root write it all the same
        as_others = ["setpriv", "--bounding-set", power] if os.geteuid() == 0 else []
        command = [*as_others, *PROGRAM, "fmt", path]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2
        assert f"{path}: error: it can't be written: Permission denied\n" in done.stderr
        assert path.read_text() == UNTIDY

    def test_the_templates_of_a_folder_above_count(self, lst):
        path = lst("1|-1|1|0|A|workers|A|job_{#1}|\n", "etl/config/my.lst")
        assert run("fmt", path).code == 2
        (path.parents[2] / "pyrunner.toml").write_text("[pyrunner]\ntemplates = false\n")
        assert run("fmt", path).code == 0


class TestFolders:
    def test_all_lists_in_and_below_it(self, lst, tmp_path):
        paths = [lst(name=name) for name in ("a.lst", "b/config/c.lst", "b/notes.txt")]
        assert run("fmt", tmp_path).err == "Lists: 2 reformatted\n"
        assert [path.read_text() for path in paths] == [TIDY, TIDY, UNTIDY]

    def test_a_list_that_is_named_twice_is_formatted_once(self, lst, tmp_path):
        path = lst()
        assert run("fmt", path, tmp_path, path).err == "Lists: 1 reformatted\n"

    def test_what_airflowignore_leaves_out_stays(self, lst, tmp_path):
        path = lst(name="old/a.lst")
        lst()
        (tmp_path / ".airflowignore").write_text("old/\n")
        assert run("fmt", tmp_path).err == "Lists: 1 reformatted\n"
        assert path.read_text() == UNTIDY

    def test_one_without_lists_is_a_mistake(self, tmp_path):
        done = run("fmt", tmp_path)
        assert done.code == 2
        assert done.err.endswith(f"Error: there is no task list in the folder {tmp_path}\n")


class TestStandardInput:
    def test_goes_to_standard_output(self):
        assert run("fmt", "-", stdin=UNTIDY) == (0, TIDY, "Lists: 1 reformatted\n")

    def test_as_it_is_where_nothing_is_to_do(self):
        text = ("\ufeff" + TIDY.replace("\n", "\r\n")).encode()
        assert run("fmt", "-", stdin=text).out.encode() == text

    def test_with_errors_nothing_comes_out(self):
        done = run("fmt", "-", stdin=BROKEN)
        assert (done.code, done.out) == (2, "")
        assert "<stdin>:1:3: error[unknown-parent]" in done.err

    def test_that_is_not_utf8(self):
        done = run("fmt", "-", stdin=b"1|\xff")
        assert (done.code, done.out) == (2, "")
        assert "<stdin>: error[not-utf8]: the byte 0xff at offset 2 is not UTF-8" in done.err


class TestCheck:
    def test_tells_what_would_change(self, lst):
        path, _ = lst(), lst(TIDY, "tidy.lst")
        done = run("fmt", "--check", path.parent)
        assert done == (1, "", f"would change: {path}\nLists: 1 would change, 1 would stay as they are\n")
        assert path.read_text() == UNTIDY

    def test_is_content_with_tidy_lists(self, lst):
        assert run("fmt", "--check", lst(TIDY)).code == 0

    def test_errors_go_before_changes(self, lst):
        assert run("fmt", "--check", lst(), lst(BROKEN, "broken.lst")).code == 2

    def test_standard_input(self):
        assert run("fmt", "--check", "-", stdin=UNTIDY) == (1, "", "would change: -\nLists: 1 would change\n")


class TestDiff:
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("last", ["", "# no line end"])
    def test_patch_makes_the_same_of_it(self, lst, end, last):
        before, after = ((text + last).replace("\n", end).encode() for text in (UNTIDY, TIDY))
        path = lst(before)
        done = run("fmt", "--diff", path.name, cwd=path.parent)
        assert done.code == 1
        assert path.read_bytes() == before
        subprocess.run(["patch", "--binary", "-p0"], cwd=path.parent, input=done.out.encode(), check=True)
        assert path.read_bytes() == after

    def test_of_a_file_whose_name_is_not_utf8(self, lst):
        path = lst(name=os.fsdecode(b"gr\xf6sse.lst"))
        done = subprocess.run([*PROGRAM, "fmt", "--diff", path], stdout=subprocess.PIPE)
        assert done.returncode == 1
        assert done.stdout.startswith(b"--- " + os.fsencode(path) + b"\n")

    def test_without_changes_it_is_empty(self, lst):
        assert run("fmt", "--diff", lst(TIDY))[:2] == (0, "")

    def test_on_a_terminal_it_has_colours_and_acts_on_nothing(self, lst):
        path = lst("#\x1b[2J\n" + UNTIDY)
        code, shown = on_terminal("fmt", "--diff", path)
        assert code == 1
        assert " #␛[2J\n" in shown.replace("\x1b[0m", "")
        assert "\x1b[32m+2 |10|1|0|B    |workers|B\x1b[0m\n" in shown

    def test_and_none_where_nobody_wants_them(self, lst):
        _, shown = on_terminal("fmt", "--diff", lst(), NO_COLOR="1")
        assert "\x1b[" not in shown
