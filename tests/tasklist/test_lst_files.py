"""Reading a list from a file."""

import os
import socket

import pytest
from lst_text import row

from pyrunner_airflow.tasklist import LstError, read_lst
from pyrunner_airflow.tasklist.files import MOST_BYTES, read_file


def error_of(path):
    with pytest.raises(LstError) as caught:
        read_lst(path)
    return caught.value


@pytest.fixture
def lst(tmp_path):
    def write(data):
        path = tmp_path / "my.lst"
        path.write_bytes(data)
        return path

    return write


class TestReading:
    def test_a_path_may_be_text_or_a_path(self, lst):
        path = lst(row().encode())
        assert read_lst(path) == read_lst(str(path))
        assert read_lst(path).source == str(path)

    def test_utf8_with_and_without_a_byte_order_mark(self, lst):
        assert read_lst(lst(row(name="Größe 表").encode())).rows[0].name == "Größe 表"
        assert read_lst(lst(row(name="Größe 表").encode("utf-8-sig"))).rows[0].name == "Größe 表"

    def test_line_ends_are_not_translated_twice(self, lst):
        assert [task.line for task in read_lst(lst(b"#\r\r\n" + row().encode())).rows] == [3]


class TestUnreadable:
    def test_a_file_that_is_not_there(self, tmp_path):
        path = tmp_path / "my_sampel.lst"
        (tmp_path / "my_sample.lst").touch()
        error = error_of(path)
        assert str(error) == (
            f"{path}: error[unreadable-file]: the file can't be read: No such file or directory\n"
            "    hint: Did you mean my_sample.lst? Check the path, and that this user may read the file."
        )
        assert isinstance(error.__cause__, FileNotFoundError)

    def test_a_folder(self, tmp_path):
        assert isinstance(error_of(tmp_path).__cause__, IsADirectoryError)

    def test_a_path_with_nul(self):
        assert error_of("a\0.lst").diagnostics[0].code == "unreadable-file"

    def test_a_link_that_leads_nowhere_says_where_it_leads(self, tmp_path):
        os.symlink("../gone.lst", tmp_path / "my.lst")
        assert "it is a link to '../gone.lst', where there is nothing" in str(error_of(tmp_path / "my.lst"))

    def test_options_that_are_a_link_that_leads_nowhere(self, lst, tmp_path):
        os.symlink("gone", tmp_path / "pyrunner.toml")
        assert error_of(lst(row().encode())).diagnostics[0].source == str(tmp_path / "pyrunner.toml")


class TestWhatIsNoFile:
    """None of them is waited for, nor read."""

    @pytest.fixture(params=["my.lst", "pyrunner.toml"])
    def path(self, request, lst, tmp_path):
        list_path = lst(row().encode())
        path = tmp_path / request.param
        path.unlink(missing_ok=True)
        yield path
        assert f"{path}: error[unreadable-file]: the file can't be read: it is " in str(error_of(list_path))

    def test_a_named_pipe(self, path):
        os.mkfifo(path)

    def test_a_device(self, path):
        os.symlink("/dev/zero", path)

    def test_a_socket(self, path, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # a socket's path must be short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)

    def test_an_endless_file(self, path):
        with path.open("wb") as file:
            file.truncate(MOST_BYTES + 1)


def test_a_file_may_be_10_mb_large(lst):
    assert len(read_file(lst(b" " * MOST_BYTES))) == MOST_BYTES


def test_a_list_may_have_20_000_rows(lst):
    text = "".join(f"{id_}|-1|1|0|n{id_}|m|W\n" for id_ in range(1, 20_002))
    problem = error_of(lst(text.encode())).diagnostics[0]
    assert (problem.code, problem.message) == (
        "unreadable-file",
        "the file can't be read: it has more than 20000 rows",
    )
    assert len(read_lst(lst(text.partition("20001|")[0].encode())).rows) == 20_000


def test_a_file_of_proc_is_read_though_it_says_that_it_is_empty():
    assert read_file("/proc/self/cmdline")


class TestEncoding:
    def test_the_first_byte_that_is_not_utf8_is_shown(self, lst):
        path = lst(b"#PYTHON\r\n" + row(name="Große Last").encode("latin-1") + b"\n\xff")
        error = error_of(path)
        assert str(error) == (
            f"{path}:2:13: error[not-utf8]: the byte 0xdf is not UTF-8\n"
            "    1|-1|1|0|Gro\ufffde Last|workers|Start||\n"
            "                ^\n"
            "    hint: Save the file as UTF-8; iconv -f WINDOWS-1252 -t UTF-8 converts one from Windows."
        )
        assert isinstance(error.__cause__, UnicodeDecodeError)

    def test_its_column_counts_characters(self, lst):
        (found,) = error_of(lst("\ufeff表é".encode() + b"\xff")).diagnostics
        assert (found.line, found.column) == (1, 3)

    def test_utf16_is_recognised(self, lst):
        assert "UTF-16" in error_of(lst(row().encode("utf-16"))).diagnostics[0].hint
