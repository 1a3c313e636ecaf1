"""What a person does with Airflow's UI, in a Chromium without a window."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote, urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.scheduler.apps import Run

TIMEOUT = 240_000
"""Milliseconds that the UI may take for one step: the machine may be busy with something else."""

expect.set_options(timeout=TIMEOUT)


class Form:
    """The dialog that is open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.dialog = page.locator("[role=dialog][data-state=open]")

    def press(self, button: str) -> None:
        """Press a button of the dialog."""
        self.dialog.get_by_role("button", name=button).click()

    def text_in(self, editor: Locator) -> str:
        """Return what the code editor in a part of the dialog shows, white space as single blanks."""
        lines = editor.locator(".view-lines")
        expect(lines).not_to_be_empty()
        return " ".join(lines.inner_text().split())

    def replace(self, editor: Locator, text: str) -> None:
        """Select all that the code editor in a part of the dialog holds, and paste a text over it."""
        self.text_in(editor)  # it is there
        self.page.evaluate("text => navigator.clipboard.writeText(text)", text)
        box = editor.get_by_role("textbox", name="Editor content")
        box.press("Control+A")
        box.press("Control+V")
        box.blur()  # only then the form takes it in, and what stands below may move


class TriggerForm(Form):
    """The form that starts a run of a DAG."""

    def __init__(self, page: Page, dag_id: str) -> None:
        super().__init__(page)
        page.goto(f"dags/{quote(dag_id)}")
        page.get_by_role("button", name="Trigger").click()
        expect(self.dialog).to_contain_text("Run Parameters")

    def fields(self) -> list[list[str]]:
        """Return the label and the description of each field, from top to bottom."""
        expect(self._fields()).not_to_have_count(0)
        return [
            [field.locator("label").inner_text(), field.locator("[data-part=helper-text]").inner_text()]
            for field in self._fields().all()
        ]

    def field(self, name: str) -> Locator:
        """Return the field of a parameter."""
        return self._fields().filter(has=self.page.locator(f"#element_{name}"))

    def _fields(self) -> Locator:
        return self.dialog.get_by_role("group").filter(has=self.page.locator("[id^=element_]"))

    def options(self, name: str) -> list[str]:
        """Open the drop-down list of a field and return what there is to choose."""
        self.field(name).get_by_role("combobox").click()
        expect(self.page.get_by_role("option")).not_to_have_count(0)
        return self.page.get_by_role("option").all_inner_texts()

    def choose(self, name: str, labels: Sequence[str]) -> None:
        """Choose in a drop-down list."""
        for label in labels:
            self.options(name)
            self.page.get_by_role("option", name=label, exact=True).click()
            expect(self.field(name)).to_contain_text(label)

    def trigger(self) -> str:
        """Start the run and return its ID, which the address of the page then holds."""
        self.press("Trigger")
        self.page.wait_for_url(re.compile(r"/runs/[^/?]+$"))
        return unquote(urlsplit(self.page.url).path.rsplit("/", 1)[1])


class XComTab:
    """A task's XCom tab."""

    def __init__(self, page: Page, run: Run, task_id: str) -> None:
        self.page = page
        page.goto(f"dags/{run.dag_id}/runs/{quote(run.run_id)}/tasks/{task_id}/xcom")
        expect(self._row("pyrunner.context")).to_be_visible()

    def value(self, key: str) -> Locator:
        """Return what stands beside a key."""
        return self._row(key).get_by_test_id("xcom-value")

    def expand(self) -> None:
        """Show lists and dictionaries whole."""
        self.page.get_by_role("button", name="Expand all").click()

    def edit(self, key: str, old: str, new: str) -> None:
        """Replace a part of a value, in the form behind the pencil."""
        self._row(key).get_by_role("button", name="Edit XCom").click()
        form = Form(self.page)
        expect(form.dialog.locator(".view-lines")).to_contain_text(old)
        form.replace(form.dialog, form.text_in(form.dialog).replace(old, new))
        form.press("Save")
        expect(form.dialog).to_be_hidden()

    def delete(self, key: str) -> None:
        """Delete a value, with the bin behind it."""
        self._row(key).get_by_role("button", name="Delete XCom").click()
        Form(self.page).press("Delete")
        expect(self._row(key)).to_be_hidden()

    def _row(self, key: str) -> Locator:
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("cell", name=key, exact=True))


class RunPage:
    """The tab *PyRunner* of a run."""

    def __init__(self, page: Page, run: Run) -> None:
        self.page = page
        self.body = page.locator(".pyr")
        self.dialog = self.body.get_by_role("dialog")
        page.goto(f"dags/{run.dag_id}/runs/{quote(run.run_id, safe='')}/plugin/pyrunner")

    def row(self, row_id: int) -> Locator:
        """Return a row's line."""
        return self.body.locator(f'[data-row="{row_id}"]')

    def key(self, name: str) -> Locator:
        """Return the line of a key of the context."""
        lines = self.body.get_by_role("table", name="Context").get_by_role("row")
        return lines.filter(has=self.page.get_by_role("cell", name=name, exact=True))

    def states(self) -> dict[str, str]:
        """Return what the page says of each row's state, once the context is there too."""
        expect(self.body.get_by_role("table", name="Context")).to_be_visible()
        lines = self.body.locator("[data-row]").all()
        return {line.locator("td").first.inner_text(): line.locator(".state").inner_text() for line in lines}

    def press(self, button: str) -> None:
        """Press a button of the page."""
        self.body.get_by_role("button", name=button, exact=True).click()

    def agree(self, button: str) -> None:
        """Press the button of the dialog that does what it is about."""
        self.dialog.get_by_role("button", name=button, exact=True).click()

    def restart(self) -> list[str]:
        """Restart as the page offers it; return the IDs of the tasks that it asked Airflow to clear."""
        with self.page.expect_response("**/clearTaskInstances") as answered:
            self.agree("Restart")
        expect(self.body).to_contain_text("again.")
        tasks: list[str] = answered.value.request.post_data_json["task_ids"]
        return tasks
