"""PyRunner's own sample, as its documentation prints it."""

from pyrunner_airflow.tasklist import TaskRow, parse_lst

SAMPLE = """\
#PYTHON
#ID|PARENT_IDS|MAX_ATTEMPTS|RETRY_WAIT_TIME|PROCESS_NAME          |MODULE_NAME|WORKER_NAME  |ARGUMENTS|LOGFILE
1  |-1        |1           |0              |Start Job Notification|workers    |Start        |         |$ENV{APP_LOG_DIR}/start.log
2  |1         |1           |0              |Download File 1       |workers    |DownloadFile1|         |$ENV{APP_LOG_DIR}/download_1.log
3  |1         |1           |0              |Download File 2       |workers    |DownloadFile2|         |$ENV{APP_LOG_DIR}/download_2.log
4  |2         |1           |0              |Load MySQL Table      |workers    |LoadMySQL    |         |$ENV{APP_LOG_DIR}/load_mysql.log
5  |3         |1           |0              |Write Parquet File    |workers    |WriteParquet |         |$ENV{APP_LOG_DIR}/write_parquet.log
6  |4,5       |1           |0              |End Job Notification  |workers    |End          |         |$ENV{APP_LOG_DIR}/end.log
"""  # noqa: E501


def sample_row(id_, parents, name, worker, log):
    return TaskRow(
        id_, parents, 1, 0, name, "workers", worker, (), "", f"$ENV{{APP_LOG_DIR}}/{log}.log", id_ + 2
    )


def test_the_sample_parses_to_exactly_its_rows():
    task_list = parse_lst(SAMPLE, "my_sample_app.lst")
    assert task_list.rows == (
        sample_row(1, (), "Start Job Notification", "Start", "start"),
        sample_row(2, (1,), "Download File 1", "DownloadFile1", "download_1"),
        sample_row(3, (1,), "Download File 2", "DownloadFile2", "download_2"),
        sample_row(4, (2,), "Load MySQL Table", "LoadMySQL", "load_mysql"),
        sample_row(5, (3,), "Write Parquet File", "WriteParquet", "write_parquet"),
        sample_row(6, (4, 5), "End Job Notification", "End", "end"),
    )
    assert (task_list.source, task_list.warnings) == ("my_sample_app.lst", ())
