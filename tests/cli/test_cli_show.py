"""`pyrunner-airflow show`."""

import pytest
from command import on_terminal, run

LIST = """\
#AIRFLOW schedule = "0 6 * * *"
1|-1|1|0|Start|workers|Start
2|1|3|30|Download|workers|Download|orders,{{ ds }}|/x.log
3|1|2|0|Count|pyrunner|ShellWorker|wc -l /data/*.csv
10|2,3|1|0|End|workers|End
11|-1|1|0|Aside|workers|Aside
"""
SHOWN = """\
<stdin>: 5 rows in 3 layers, schedule 0 6 * * *

Layer 1
 1  Start
    workers.Start
11  Aside
    workers.Aside

Layer 2
 2  Download  after 1
    workers.Download(orders,{{ ds }})
    3 attempts, 30 s apart
 3  Count  after 1
    pyrunner.ShellWorker(wc -l /data/*.csv)
    2 attempts

Layer 3
10  End  after 2, 3
    workers.End
"""


@pytest.fixture
def lst(tmp_path):
    path = tmp_path / "my_job.lst"
    path.write_text(LIST)
    return path


class TestLayers:
    def test_each_row_with_what_it_waits_for_its_worker_and_its_attempts(self):
        assert run("show", "-", stdin=LIST) == (0, SHOWN, "")

    def test_a_file_goes_by_its_name(self, lst):
        assert run("show", lst).out.startswith("my_job: 5 rows in 3 layers")

    def test_many_parents_in_short(self):
        rows = [f"{id_}|-1|1|0|n{id_}|workers|W\n" for id_ in range(1, 163)]
        shown = run(
            "show", "-", stdin="".join(rows) + "1000|" + ",".join(map(str, range(1, 163))) + "|1|0|all|w|W"
        )
        assert "1000  all  after 1 to 162\n" in shown.out

    def test_a_row_is_below_the_lowest_of_its_parents(self):
        text = "1|-1|1|0|a|w|W\n2|1|1|0|b|w|W\n3|1,2|1|0|c|w|W\n"
        assert "Layer 3\n3  c  after 1, 2\n" in run("show", "-", stdin=text).out

    def test_a_chain_of_thousands_of_rows(self):
        text = "".join(f"{id_}|{id_ - 1 or -1}|1|0|n{id_}|w|W\n" for id_ in range(1, 3001))
        assert "3000 rows in 3000 layers" in run("show", "-", stdin=text).out


class TestContext:
    """What the workers do with it, as their source tells."""

    WORKERS = """
from pyrunner import Worker

class Start(Worker):
    def run(self):
        self.context["run date"] = "2026-01-01"
        self.context["day"] = self.context.get("last_day", 1)

class Other(Worker):
    def run(self):
        self.context[self.argv[0]] = 1

class Idle(Worker):
    def run(self):
        pass
"""

    @pytest.mark.parametrize(
        ("worker", "details"),
        [
            ("Start", ["reads 'last_day'", "writes 'day', 'run date'"]),
            ("Other", ["writes keys that can't be told"]),
            ("Idle", []),
            ("Nobody", []),
        ],
    )
    def test_keys_that_a_row_reads_and_writes(self, tmp_path, worker, details):
        (tmp_path / "workers.py").write_text(self.WORKERS)
        shown = run("show", "-", stdin=f"1|-1|1|0|A|workers|{worker}|a", cwd=tmp_path).out
        lines = shown.partition(f"workers.{worker}(a)\n")[2].splitlines()
        assert [line.strip() for line in lines] == details


class TestOnATerminal:
    def test_it_is_the_same_with_styles(self, lst):
        code, shown = on_terminal("show", lst)
        assert code == 0
        assert "\x1b[1mmy_job\x1b[0m: 5 rows" in shown
        assert "\x1b[1;36mLayer 2\x1b[0m\n 2  Download\x1b[2m  after 1\x1b[0m\n" in shown

    def test_in_a_narrow_one_lines_go_on_below_indented(self, lst):
        _, shown = on_terminal("show", lst, columns=24, TERM="dumb")
        assert "    workers.Download(ord\n    ers,{{ ds }})\n" in shown
        assert max(map(len, shown.splitlines())) <= 24

    def test_in_a_very_narrow_one_too(self, lst):
        code, shown = on_terminal("show", lst, columns=3, TERM="dumb")
        assert code == 0
        assert "".join(shown.split()).count("workers.Start") == 1

    def test_one_that_knows_no_colours_gets_none(self, lst):
        assert "\x1b" not in on_terminal("show", lst, TERM="dumb")[1]

    def test_nor_does_one_whose_user_wants_none(self, lst):
        assert "\x1b[1;36m" not in on_terminal("show", lst, NO_COLOR="1")[1]

    def test_one_that_knows_no_unicode_gets_escapes(self, lst):
        lst.write_text("1|-1|1|0|Größe 表|workers|W")
        code, shown = on_terminal("show", lst, PYTHONIOENCODING="ascii", TERM="dumb")
        assert code == 0
        assert "Gr\\xf6\\xdfe \\u8868" in shown


class TestMermaid:
    def test_a_node_for_each_row_and_a_line_of_edges_for_its_parents(self):
        assert run("show", "--format", "mermaid", "-", stdin=LIST).out == (
            "flowchart TD\n"
            '    1["1 Start"]\n'
            '    2["2 Download"]\n'
            '    3["3 Count"]\n'
            '    10["10 End"]\n'
            '    11["11 Aside"]\n'
            "    1 --> 2\n"
            "    1 --> 3\n"
            "    2 & 3 --> 10\n"
        )

    @pytest.mark.parametrize(
        ("name", "label"),
        [
            ("Größe 表 (2)", "Größe 表 (2)"),
            ('say "hi" #1;', "say #34;hi#34; #35;1#59;"),
            ("<b>&amp;", "#60;b#62;#38;amp#59;"),
            ("%%{init: {}}%%", "#37;#37;#123;init#58; #123;#125;#125;#37;#37;"),
            ("`a` $$b$$ \\n", "#96;a#96; #36;#36;b#36;#36; #92;n"),
            ("é\u0301 😀", "é#769; #128512;"),
        ],
    )
    def test_what_means_something_to_mermaid_is_written_as_a_number(self, name, label):
        shown = run("show", "--format", "mermaid", "-", stdin=f"1|-1|1|0|{name}|workers|W")
        assert f'    1["1 {label}"]\n' in shown.out


class TestErrors:
    def test_a_list_with_errors(self):
        done = run("show", "-", stdin="1|7|1|0|A|workers|A")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("<stdin>:1:3: error[unknown-parent]: PARENT_IDS names 7")

    def test_a_file_that_is_not_there(self, lst):
        done = run("show", lst.with_name("my_jbo.lst"))
        assert done.code == 2
        assert "Did you mean my_job.lst?" in done.err
