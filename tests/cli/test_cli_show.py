"""`pyrunner-airflow show`."""

import tomllib

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
ASSETS = """\
#AIRFLOW schedule = { assets = ["s3://orders"] }
#AIRFLOW [tasks.2]
#AIRFLOW outlets = ["s3://done"]
1|-1|1|0|A|w|A
2|1|1|0|B|w|B
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


class TestAssets:
    def test_those_that_start_the_list_and_that_its_rows_update(self):
        shown = run("show", "-", stdin=ASSETS).out
        assert shown.startswith("<stdin>: 2 rows in 2 layers, schedule when s3://orders was updated\n")
        assert shown.endswith("2  B  after 1\n   w.B\n   updates 's3://done'\n")


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

    def test_assets_that_start_the_list_and_that_its_rows_update(self):
        shown = run("show", "--format", "mermaid", "-", stdin=ASSETS)
        assert shown.out.partition("    1 --> 2\n")[2] == (
            '    asset1[("s3#58;//orders")]\n'
            '    asset2[("s3#58;//done")]\n'
            "    asset1 -.-> 1\n"
            "    2 -.-> asset2\n"
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


class TestOptions:
    """Each option's value, as it is written, with the file and line that it comes from: TOML again."""

    TREE = """\
tags = ["a", "b"]
params = { day = "x", n = { m = 1 } }
[pyrunner]
notify_email = "ops@example.com"
[env.prod]
start_date = 2026-01-31
[env.prod."my_job.lst".default_args]
execution_timeout = "PT1H"
[env.prod.access_control]
Ops = ["can_read"]
"""
    SHOWN = """\
tags = ["a", "b"]  # pyrunner.toml:1
params.day = "x"  # pyrunner.toml:2
params.n.m = 1  # pyrunner.toml:2
pyrunner.notify_email.to = "ops@example.com"  # pyrunner.toml:4
schedule = "0 6 * * *"  # my_job.lst:1
start_date = 2026-01-31  # pyrunner.toml:6
access_control.Ops.DAGs = ["can_read"]  # pyrunner.toml:10
default_args.execution_timeout = "PT1H"  # pyrunner.toml:8
"""

    @pytest.fixture
    def shown(self, lst):
        def shown(environment):
            lst.with_name("pyrunner.toml").write_text(self.TREE)
            variable = {"AIRFLOW__PYRUNNER_AIRFLOW__ENVIRONMENT": environment}
            return run("show", "--options", lst.name, cwd=lst.parent, **variable)

        return shown

    def test_of_the_environment_that_is_chosen(self, shown):
        assert shown("prod") == (0, self.SHOWN, "")
        assert tomllib.loads(self.SHOWN)["params"]["n"] == {"m": 1}

    def test_without_one_of_the_others(self, shown):
        of_none = [line for line in self.SHOWN.splitlines() if line[-2:] not in (":6", "10", ":8")]
        assert shown("").out.splitlines() == of_none

    def test_the_nearest_holds_even_where_it_is_no_table(self, tmp_path):
        (tmp_path / "pyrunner.toml").write_text("[params.a]\nb = 1\n[params]\nc = 2")
        listed = "#AIRFLOW params = { a = 1, c = { d = 3 } }\n" + LIST
        assert run("show", "--options", "-", stdin=listed, cwd=tmp_path).out == (
            'params.a = 1  # <stdin>:1\nparams.c.d = 3  # <stdin>:1\nschedule = "0 6 * * *"  # <stdin>:2\n'
        )

    def test_a_list_without_any(self):
        assert run("show", "--options", "-", stdin="1|-1|1|0|A|w|A").out == "# no options\n"

    def test_not_as_a_diagram(self, lst):
        done = run("show", "--options", "--format", "mermaid", lst)
        assert done.code == 2
        assert "--options can't be shown as mermaid" in done.err

    def test_of_a_list_with_errors_are_not_shown(self, lst):
        lst.with_name("pyrunner.toml").write_text(self.TREE)
        done = run("show", "--options", lst, AIRFLOW__PYRUNNER_AIRFLOW__ENVIRONMENT="prdo")
        assert (done.code, done.out) == (2, "")
        assert "error[unknown-environment]" in done.err


class TestErrors:
    def test_a_list_with_errors(self):
        done = run("show", "-", stdin="1|7|1|0|A|workers|A")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("<stdin>:1:3: error[unknown-parent]: PARENT_IDS names 7")

    def test_a_file_that_is_not_there(self, lst):
        done = run("show", lst.with_name("my_jbo.lst"))
        assert done.code == 2
        assert "Did you mean my_job.lst?" in done.err
