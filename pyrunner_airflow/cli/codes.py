"""The codes of all problems that ``check`` can tell; ``docs/codes.md`` explains each."""

CODES = frozenset(
    """
    class-not-found control-character cycle duplicate-id duplicate-name env-not-allowed env-not-closed
    env-without-name extra-columns integer-out-of-range invalid-integer invalid-json invalid-name
    invalid-option invalid-parent invalid-profile invalid-python invalid-return-code invalid-template
    invalid-toml missing-columns missing-value module-ends-in-py module-not-found no-rows no-run not-a-worker
    not-front-matter not-utf8 path-in-arguments repeated-key run-with-parameters self-parent shell-list
    standard-module true-is-failure unknown-environment unknown-hook unknown-key unknown-list unknown-option
    unknown-parent unknown-task unordered-read unordered-writes unreadable-file unsteered-clock unwritten-key
    """.split()  # noqa: SIM905
)
