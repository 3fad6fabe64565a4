import csv
import io
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.reporting.tables import percent, to_csv, to_markdown


def test_columns_line_up():
    assert to_markdown([{"arm": "clicks", "mIoU": "9.50"}, {"arm": "kd", "mIoU": "-"}]).splitlines() == [
        "| arm    | mIoU |",
        "| ------ | ---: |",
        "| clicks | 9.50 |",
        "| kd     |    - |",
    ]


def test_a_class_name_does_not_break_the_table():
    assert to_markdown([{"class": "car|van", "kd": "1"}]).splitlines()[-1] == r"| car\|van |   1 |"


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)))


@settings(deadline=None)
@given(st.lists(TEXT, min_size=1, unique=True), st.data())
def test_csv_gives_back_what_was_written(columns, data):
    lines = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(columns, TEXT)), min_size=1))
    if columns != [""]:  # a line that is empty is none
        assert list(csv.DictReader(io.StringIO(to_csv(lines), newline=""))) == lines


def test_shares_are_in_percent_and_nan_is_missing():
    assert (percent(0.12345), percent(math.nan)) == ("12.35", "-")
