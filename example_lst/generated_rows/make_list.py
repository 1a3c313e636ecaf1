"""Writes the task list: a row for each of 160 shops, one before and four after them."""

from pathlib import Path

REGIONS = ("north", "east", "south", "west")
SHOPS = range(2, 162)
ROW = "{}|{}|1|0|{}|pyrunner|ShellWorker|{}|$ENV{{APP_LOG_DIR}}/{}.log\n"


def rows():
    folders = " ".join(f"$APP_TEMP_DIR/{region}" for region in REGIONS)
    yield 1, -1, "Make Folders", f"mkdir -p {folders}", "make_folders"
    for shop in SHOPS:
        command = f"echo sales of shop {shop} > $APP_TEMP_DIR/{REGIONS[shop % 4]}/{shop}"
        yield shop, 1, f"Shop {shop}", command, f"shop_{shop}"
    for number, region in enumerate(REGIONS):
        shops = ",".join(str(shop) for shop in SHOPS if shop % 4 == number)
        command = f'"cat $APP_TEMP_DIR/{region}/* | wc -l"'  # without the quotes a | begins the next column
        yield 162 + number, shops, f"Sum Up {region.title()}", command, region


with Path(__file__).with_name("config").joinpath("generated_rows.lst").open("w") as file:
    file.write("#PYTHON\n")
    file.writelines(ROW.format(*row) for row in rows())
