"""Tables of pyrunner.toml for one environment: which hold, and before what."""

import pytest
from lst_text import rows

from pyrunner_airflow.tasklist import LstError, Options, parse_lst, read_lst
from pyrunner_airflow.tasklist.lst import find_unknown_lists

LIST = rows("-1", "1")
TREE = """
description = "all"
[pyrunner]
cwd = "all"

["my.lst"]
tags = ["mine"]

[env.prod]
tags = ["prod"]
[env.prod.default_args]
pool = "prod"

[env.prod."my.lst"]
schedule = "@daily"

[env.dev.pyrunner]
cwd = "dev"
"""
CANNOT = "cannot have this value"
NO_TABLE = "An environment is a table, such as [env.prod]; variables for workers belong below [pyrunner.env]."
PLACE = (
    'Environments stand in pyrunner.toml, side by side: [env.<name>], and for one list [env.<name>."my.lst"].'
)


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def options(write, tmp_path):
    """Return the options of a list in an environment, by the files beside it and in the folder above."""

    def options(environment, near, above="", front_matter="", name="team/my.lst"):
        write("pyrunner.toml", above)
        write("team/pyrunner.toml", near)
        return read_lst(write(name, front_matter + LIST), tmp_path, environment).options

    return options


class TestWhatHolds:
    def test_without_an_environment_what_is_for_none(self, options):
        said = options(None, TREE)
        assert (said.dag, said.default_args, said.cwd) == (
            {"description": "all", "tags": ["mine"]},
            {},
            "all",
        )

    def test_in_one_its_tables_too(self, options):
        said = options("dev", TREE)
        assert (said.dag, said.cwd) == ({"description": "all", "tags": ["mine"]}, "dev")

    def test_for_one_list_its_own_of_the_environment(self, options):
        said = options("prod", TREE)
        assert said.dag == {"description": "all", "tags": ["prod"], "schedule": "@daily"}
        assert said.default_args == {"pool": "prod"}

    def test_not_for_another_list(self, options):
        assert options("prod", TREE, name="team/other.lst").dag == {"description": "all", "tags": ["prod"]}

    def test_a_table_may_be_empty(self, options):
        assert options("test", "catchup = true\n[env.prod]\ncatchup = false\n[env.test]").dag == {
            "catchup": True
        }

    def test_where_no_file_has_any_all_are_the_same(self, options):
        assert options("prod", "catchup = true").dag == {"catchup": True}

    def test_a_text_without_a_place_has_none(self):
        assert parse_lst(LIST, environment="prod").options == Options()


class TestOrder:
    """The environment's options go before those for none, wherever these stand; of each the nearest first."""

    def test_before_the_list_itself(self, options):
        said = options("dev", "[env.dev]\ntags = ['dev']", front_matter="#AIRFLOW tags = ['list']\n")
        assert said.dag == {"tags": ["dev"]}

    def test_a_folder_above_before_a_nearer_one(self, options):
        assert options("dev", "tags = ['near']", "[env.dev]\ntags = ['above']").dag == {"tags": ["above"]}

    def test_of_two_the_nearer_one(self, options):
        near, above = (f"[env.dev]\ntags = ['{name}']" for name in ("near", "above"))
        assert options("dev", near, above).dag == {"tags": ["near"]}

    def test_a_lists_own_before_all_lists(self, options):
        toml = "[env.dev.'my.lst']\ntags = ['mine']\n[env.dev]\ntags = ['all']"
        assert options("dev", toml).dag == {"tags": ["mine"]}


def test_a_table_in_one_is_for_a_list_that_is_there(write):
    file = write("pyrunner.toml", "[env.prod.'my.lst']\n[env.prod.'mine.lst']\n['mine.lst']")
    found = find_unknown_lists(str(file), [], lambda folder: [write("my.lst", LIST)])
    assert [(problem.line, problem.code) for problem in found] == [(2, "unknown-list"), (3, "unknown-list")]


class TestErrors:
    @pytest.fixture
    def error(self, options):
        def error(*arguments, **named):
            with pytest.raises(LstError) as caught:
                options(*arguments, **named)
            (found,) = caught.value.diagnostics
            return found

        return error

    def test_an_environment_that_no_file_has(self, error):
        found = error("prdo", TREE, "[env.test]")
        assert (found.code, found.line, found.column) == ("unknown-environment", 9, 1)
        assert found.message == "the environment 'prdo' is chosen, but there are: dev, prod, test"
        assert found.hint == (
            "Did you mean prod? [pyrunner_airflow] environment in airflow.cfg chooses; "
            "a table [env.prdo] may be empty."
        )

    def test_one_file_that_has_it_will_do(self, options):
        assert options("test", TREE, "[env.test]\ncatchup = true").dag["catchup"] is True

    @pytest.mark.parametrize("environment", [None, "prod", "dev"])
    def test_in_any_environment_are_told_in_all(self, error, environment):
        found = error(environment, "[env.prod]\n[env.dev.default_args]\npol = 'a'")
        assert (found.code, found.line) == ("unknown-option", 3)
        assert found.hint.startswith("Did you mean pool? ")

    @pytest.mark.parametrize("environment", [None, "prod", "dev"])
    def test_in_a_lists_own_table_too(self, error, environment):
        found = error(environment, "[env.prod]\n[env.dev.'my.lst']\npool = 'a'")
        assert (found.code, found.line) == ("unknown-option", 3)
        assert found.hint.startswith('pool belongs below [env.dev."my.lst".default_args]')

    @pytest.mark.parametrize(
        ("toml", "code", "place", "message", "hint"),
        [
            ("env = 1", "invalid-option", (1, 1), f"env {CANNOT}", NO_TABLE),
            ("[env]\nAPP_A = 'a'", "invalid-option", (2, 1), f"env.APP_A {CANNOT}", NO_TABLE),
            (
                "[env.'my.lst']",
                "invalid-option",
                (1, 1),
                "env.my.lst cannot have this name",
                "An environment's name consists of letters, digits, _ and -.",
            ),
            ("[env.a.env.b]", "unknown-option", (1, 1), "the DAG has no option 'env'", PLACE),
            ("['my.lst'.env.b]", "unknown-option", (1, 1), "the DAG has no option 'env'", PLACE),
        ],
    )
    def test_what_is_no_environment(self, error, toml, code, place, message, hint):
        found = error(None, toml)
        assert (found.code, (found.line, found.column)) == (code, place)
        assert (found.message, found.hint) == (message, hint)

    def test_a_list_itself_has_none(self, error):
        found = error(None, "", front_matter="#AIRFLOW [env.prod]\n")
        assert (found.code, found.line, found.hint) == ("unknown-option", 1, PLACE)

    def test_two_tables_of_one_list(self, error):
        found = error("a", "", "[env.a.'my.lst']\n[env.a.'team/my.lst']")
        assert (found.code, found.line) == ("invalid-option", 1)
        assert found.message == "[env.a.\"my.lst\"] is a second table of the list 'team/my.lst'"
