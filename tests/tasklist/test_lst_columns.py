"""What each column may hold."""

import pytest
from lst_text import codes, problems, read_row, row

from pyrunner_airflow.tasklist import Severity, parse_lst


def column_errors(**columns):
    return [(problem.code, problem.column_name) for problem in problems(row(**columns))]


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("1", 1),
            ("007", 7),
            ("+1", 1),
            ("1_000", 1000),
            ("٣", 3),
            ("\uff11\uff12", 12),
            ("999999999999999999", 10**18 - 1),
        ],
    )
    def test_an_id_is_what_pyrunner_takes_for_an_integer(self, text, value):
        assert read_row(id=text).id == value

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "missing-value"),
            ("x", "invalid-integer"),
            ("1.0", "invalid-integer"),
            ("1 2", "invalid-integer"),
            ("²", "invalid-integer"),
            ("1__0", "invalid-integer"),
            ("x" * 5000, "invalid-integer"),
            ("0", "integer-out-of-range"),
            ("-1", "integer-out-of-range"),
            (str(10**18), "integer-out-of-range"),
            ("9" * 5000, "integer-out-of-range"),
            ("-" + "9" * 5000, "integer-out-of-range"),
        ],
    )
    def test_an_id_that_is_none_is_an_error(self, text, code):
        assert column_errors(id=text) == [(code, "ID")]

    def test_an_empty_max_attempts_is_1_and_an_empty_wait_0(self):
        task = read_row(attempts="", wait=" ")
        assert (task.max_attempts, task.retry_wait_time) == (1, 0)

    @pytest.mark.parametrize("text", ["0", "-1", str(2**31), "9" * 5000])
    def test_max_attempts_is_at_least_1_and_fits_airflow(self, text):
        assert column_errors(attempts=text) == [("integer-out-of-range", "MAX_ATTEMPTS")]

    @pytest.mark.parametrize(("text", "code"), [("-1", "integer-out-of-range"), ("1.5", "invalid-integer")])
    def test_retry_wait_time_is_whole_seconds_from_0(self, text, code):
        assert column_errors(wait=text) == [(code, "RETRY_WAIT_TIME")]


class TestParents:
    @pytest.mark.parametrize(
        ("text", "parents"),
        [
            ("-1", ()),
            ("1", (1,)),
            ("1,2", (1, 2)),
            ("2 ,\t1", (2, 1)),
            ("2,1,2", (2, 1)),
            ("-1,2", (2,)),
            ("-1,-1", ()),
        ],
    )
    def test_parents_are_ids_separated_by_commas(self, text, parents):
        lines = [row(id="1"), row(id="2", name="b"), row(id="3", name="c", parents=text)]
        assert parse_lst("\n".join(lines)).rows[2].parent_ids == parents

    @pytest.mark.parametrize("text", ["x", "0", "-2", "1,,1", "1,", "1 1", "1;1", '"1,1"', "9" * 5000])
    def test_anything_else_is_an_error(self, text):
        lines = [row(id="1"), row(id="2", name="b", parents=text)]
        assert set(codes("\n".join(lines))) == {"invalid-parent"}

    def test_no_parents_are_written_minus_1(self):
        assert column_errors(parents="") == [("missing-value", "PARENT_IDS")]


class TestNames:
    @pytest.mark.parametrize("text", ["Load MySQL Table", "Lädt 表", "it's", "a,b", "#1", "1"])
    def test_a_process_name_is_any_text(self, text):
        assert read_row(name=text).name == text

    @pytest.mark.parametrize("text", ["", " ", "\t", "\u00a0"])
    def test_but_not_blank(self, text):
        assert column_errors(name=text) == [("missing-value", "PROCESS_NAME")]

    @pytest.mark.parametrize(
        "text", ["workers", "a.b.c", "_x", "wörkers", "$ENV{M}", "a.$ENV{M}.c", "x$ENV{A}$ENV{B}"]
    )
    def test_a_module_is_a_dotted_identifier(self, text):
        assert read_row(module=text).module == text

    @pytest.mark.parametrize(
        "text",
        [
            "1a",
            "a..b",
            ".a",
            "a.",
            "a-b",
            "a b",
            "a/b",
            "../a",
            "class",
            "a.import",
            "1$ENV{M}",
            "$ENV{M}-x",
            "a$b",
        ],
    )
    def test_no_other_module_name_passes(self, text):
        assert column_errors(module=text) == [("invalid-name", "MODULE_NAME")]

    @pytest.mark.parametrize("text", ["Start", "_S", "Größe", "$ENV{W}", "Load$ENV{W}"])
    def test_a_worker_is_an_identifier(self, text):
        assert read_row(worker=text).worker == text

    @pytest.mark.parametrize("text", ["a.b", "Start()", "None", "1", "St art"])
    def test_no_other_worker_name_passes(self, text):
        assert column_errors(worker=text) == [("invalid-name", "WORKER_NAME")]

    @pytest.mark.parametrize("column", ["module", "worker"])
    def test_neither_may_be_empty(self, column):
        assert column_errors(**{column: ""}) == [("missing-value", f"{column.upper()}_NAME")]

    @pytest.mark.parametrize(
        ("text", "guess"),
        [
            ("python/workers.py", "python.workers"),
            ("./a/b", "a.b"),
            ("my-app", "my_app"),
        ],
    )
    def test_a_path_in_place_of_a_module_gets_its_dotted_name(self, text, guess):
        assert f"Did you mean '{guess}'?" in problems(row(module=text))[0].hint


class TestEnv:
    @pytest.mark.parametrize("column", ["module", "worker", "arguments", "logfile"])
    def test_env_stays_as_it_is_written(self, column):
        assert getattr(read_row(**{column: "$ENV{NAME}"}), column) in ("$ENV{NAME}", ("$ENV{NAME}",))

    @pytest.mark.parametrize(
        ("column", "name"),
        [
            ("id", "ID"),
            ("parents", "PARENT_IDS"),
            ("attempts", "MAX_ATTEMPTS"),
            ("wait", "RETRY_WAIT_TIME"),
            ("name", "PROCESS_NAME"),
        ],
    )
    def test_elsewhere_it_is_an_error(self, column, name):
        assert column_errors(**{column: "$ENV{NAME}"}) == [("env-not-allowed", name)]

    @pytest.mark.parametrize("text", ["$ENV{", "$ENV{A", "a/$ENV{A$ENV{B}", "$ENV{{A}"])
    @pytest.mark.parametrize(
        ("column", "name"),
        [
            ("module", "MODULE_NAME"),
            ("worker", "WORKER_NAME"),
            ("arguments", "ARGUMENTS"),
            ("logfile", "LOGFILE"),
        ],
    )
    def test_one_that_never_closes_is_an_error(self, column, name, text):
        assert ("env-not-closed", name) in column_errors(**{column: text})
        assert ("invalid-name", name) not in column_errors(**{column: text})

    @pytest.mark.parametrize("text", ["$ENV{}", "$ENV{ }"])
    def test_one_without_a_name_is_an_error(self, text):
        assert column_errors(logfile=text) == [("env-without-name", "LOGFILE")]

    @pytest.mark.parametrize("text", ["$HOME", "${HOME}", "$env{A}", "$ENV", "ENV{A}"])
    def test_nothing_else_is_taken_for_it(self, text):
        assert read_row(logfile=text).logfile == text


class TestControlCharacters:
    @pytest.mark.parametrize("char", ["\0", "\x07", "\x1b", "\x7f", "\x85", "\ud800"])
    @pytest.mark.parametrize(
        ("column", "name"), [("id", "ID"), ("arguments", "ARGUMENTS"), ("logfile", "LOGFILE")]
    )
    def test_they_are_errors_in_every_column(self, char, column, name):
        assert column_errors(**{column: f"1{char}"}) == [("control-character", name)]

    def test_the_rest_of_the_field_is_still_checked(self):
        assert column_errors(worker="a\0b.c") == [
            ("invalid-name", "WORKER_NAME"),
            ("control-character", "WORKER_NAME"),
        ]

    def test_a_tab_inside_a_text_is_none(self):
        assert read_row(name="a\tb").name == "a\tb"

    def test_in_comments_they_do_no_harm(self):
        assert len(parse_lst(f"#\0\x1b\n{row()}").rows) == 1


class TestWholeLists:
    @pytest.mark.parametrize("text", ["", "\n\n", "#PYTHON\n# nothing", "\ufeff", "  "])
    def test_a_list_without_rows_is_an_error(self, text):
        assert codes(text) == ["no-rows"]

    def test_all_problems_are_reported_at_once_in_the_order_of_the_file(self):
        text = "\n".join(
            [row(id="x", attempts="0", module="1"), row(parents="7", wait="y"), row(parents="1")]
        )
        assert [(found.line, found.code) for found in problems(text)] == [
            (1, "invalid-integer"),
            (1, "integer-out-of-range"),
            (1, "invalid-name"),
            (2, "unknown-parent"),
            (2, "invalid-integer"),
            (2, "duplicate-name"),
            (3, "duplicate-id"),
            (3, "self-parent"),
            (3, "duplicate-name"),
        ]

    def test_a_short_row_is_checked_in_the_columns_it_has(self):
        assert codes("x|-1|0") == ["invalid-integer", "integer-out-of-range", "missing-columns"]

    @pytest.mark.parametrize("header", ["#SHELL", "  #SHELL\t"])
    def test_a_list_of_shell_commands_is_one_error(self, header):
        assert codes(f"{header}\n1|-1|1|0|List|ls -l /tmp|list.log\n2|1|1|0|Date|date") == ["shell-list"]

    def test_its_rows_are_checked_as_far_as_they_go(self):
        assert codes("#SHELL\n1|2|x|0|List|ls -l") == ["shell-list", "unknown-parent", "invalid-integer"]

    @pytest.mark.parametrize("comment", ["#SHELL commands", "# SHELL", "#shell", "#SHELLS"])
    def test_a_comment_about_shells_is_a_comment(self, comment):
        assert len(parse_lst(f"{comment}\n{row()}").rows) == 1


def warnings(text):
    return [(found.severity, found.code, found.line) for found in parse_lst(text).warnings]


class TestWarnings:
    @pytest.mark.parametrize(
        "path",
        [
            "/var/log/a.log",
            "$ENV{APP_LOG_DIR}/a.txt",
            "./a",
            "../a",
            "~/a",
            "logs/a.out",
            "a.log",
            "my logs/a.log",
        ],
    )
    def test_a_path_in_the_last_of_eight_columns(self, path):
        assert warnings(f"1|-1|1|0|n|m|W|{path}") == [(Severity.WARNING, "path-in-arguments", 1)]

    @pytest.mark.parametrize(
        "text", ["", "a", "1,2", "2024/01/31", "https://host/a.csv", "a.log,b", "/a,/b", "a.csv"]
    )
    def test_other_arguments_pass(self, text):
        assert warnings(f"1|-1|1|0|n|m|W|{text}") == []

    def test_so_does_a_path_with_an_empty_logfile_behind_it(self):
        assert warnings("1|-1|1|0|n|m|W|/landing/data.csv|") == []

    def test_the_same_name_twice(self):
        text = "\n".join([row(id="1"), row(id="2", name="b"), row(id="3"), row(id="4", name="start")])
        assert warnings(text) == [(Severity.WARNING, "duplicate-name", 3)]

    def test_warnings_stand_beside_errors(self):
        assert codes("\n".join([row(id="1"), row(id="1")])) == ["duplicate-id", "duplicate-name"]
