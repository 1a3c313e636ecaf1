"""Writes the task list: one row a book, each after the one before, and the last row after nearly all."""

from workers.books import code

BOOKS = 40
COLUMNS = "ID PARENT_IDS MAX_ATTEMPTS RETRY_WAIT_TIME PROCESS_NAME MODULE_NAME WORKER_NAME ARGUMENTS LOGFILE"


def rows():
    yield 1, -1, 1, 0, "Prepare Shelves", "workers.prepare", "Prepare", f"1,{code(1)}", "prepare.log"
    for number in range(2, BOOKS + 1):
        arguments = f"{number},{code(number)}"
        name = f"Add Book {arguments}"
        yield number, number - 1, 1, 0, name, "shelves", "AddBook", arguments, f"add_{number}.log"
    parents = ",".join(map(str, range(3, BOOKS + 1)))
    yield 1000, parents, 1, 0, "Summarise", "shelves", "Summarise", f"{BOOKS},{code(BOOKS)}", "summarise.log"


with open("config/shelf_catalogue.lst", "w") as file:
    file.write(f"#PYTHON\n#{'|'.join(COLUMNS.split())}\n")
    for *columns, log in rows():
        print(*columns, f"$ENV{{APP_LOG_DIR}}/{log}", sep="\t|", file=file)
