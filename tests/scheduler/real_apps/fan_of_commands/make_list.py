"""Writes the task list: a command that makes a folder, and 200 that write to it."""

ROW = "{id}|{parent}|1|0|Shell {id}|pyrunner|ShellWorker|{command}|$ENV{{APP_LOG_DIR}}/{id}.log\n"

with open("config/fan_of_commands.lst", "w") as file:
    file.write(ROW.format(id=1, parent=-1, command="mkdir -p $APP_TEMP_DIR/fan"))
    for number in range(2, 202):
        command = f'"echo {number} | tee $APP_TEMP_DIR/fan/{number}"'
        file.write(ROW.format(id=number, parent=1, command=command))
