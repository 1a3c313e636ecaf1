"""Reading a list from a file."""

import pytest
from lst_text import row

from pyrunner_airflow.tasklist import LstError, read_lst


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
