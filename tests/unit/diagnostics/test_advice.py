"""What is told of an account that stands still: the settings and the command that mend this account, not another."""

import pytest

from cancellist.jobs.diagnostics.advice import SettingNames, advice, resume_command
from cancellist.jobs.flow.circuit_breaker import Breaker, Mode
from cancellist.jobs.flow.events import opened_why
from cancellist.jobs.model import BreakerCause

NORTH = SettingNames("north", "CANCELLIST_ACCOUNTS__NORTH__API_KEY", False, "CANCELLIST_ACCOUNTS__NORTH__API_URL")


def test_there_is_nothing_to_mend_where_nothing_is_wrong():
    assert advice(None) == ""


@pytest.mark.parametrize(
    ("wording", "command"), [(SettingNames(), "`cancellist resume`"), (NORTH, "`cancellist resume --account north`")]
)
def test_a_refused_key_names_the_settings_and_the_command_of_its_account(wording, command):
    told = advice(BreakerCause.DENIED, wording)
    assert all(name in told for name in (f"{wording.key} ", f"{wording.url},", command))
    assert "start workers anew" in told


def test_a_key_from_a_file_is_mended_in_the_file():
    told = advice(BreakerCause.DENIED, SettingNames("north", "CANCELLIST_ACCOUNTS__NORTH__API_KEY_FILE", True))
    assert "the file that CANCELLIST_ACCOUNTS__NORTH__API_KEY_FILE names, which is read again" in told
    assert "anew" not in told


def test_an_outage_names_the_url_of_its_account():
    assert advice(BreakerCause.OUTAGE, NORTH).endswith("check CANCELLIST_ACCOUNTS__NORTH__API_URL")


def test_the_platforms_words_and_what_to_do_make_one_line():
    breaker = Breaker(Mode.OPEN, kind=BreakerCause.OUTAGE, why="HTTP 503: Try later.")
    assert opened_why(breaker).startswith("HTTP 503: Try later; nothing: ")


def test_a_command_holds_no_control_character_of_an_accounts_name():
    assert resume_command("no\x1brth") == "cancellist resume --account no\\x1brth"
