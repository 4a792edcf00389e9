"""No secret survives in any text, whatever surrounds it (I18)."""

from __future__ import annotations

import logging
import sys
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.providers.redaction import MASK, RedactingFilter, Redactor, redact_every_record

SECRET = "s3cr3t/with+signs&=7f"
secrets = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)


def record(message: str, *args: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("tests", logging.INFO, __file__, 1, message, args, None)
    vars(made).update(fields)
    return made


def raised(text: str):
    try:
        int(text)
    except ValueError:
        return sys.exc_info()


def shown(made: logging.LogRecord) -> str:
    return logging.Formatter("%(message)s").format(made) + repr(sorted(vars(made).items(), key=str))


@given(secret=secrets, before=st.text(max_size=30), after=st.text(max_size=30))
@settings(max_examples=100)
def test_I18_a_known_secret_is_masked_in_any_surroundings_and_percent_encoded(secret, before, after):
    redactor = Redactor([secret])
    for text in (before + secret + after, before + quote(secret, safe="") + after):
        masked = redactor.mask(text)
        assert secret not in masked.replace(MASK, "")
        assert MASK in masked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /time_series?apikey=abc123&symbol=XAU", f"GET /time_series?apikey={MASK}&symbol=XAU"),
        ("headers={'Authorization': 'apikey abc123'}", f"headers={{'Authorization': 'apikey {MASK}'}}"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {MASK}"),
        ("postgresql+psycopg://gold:pa55@host:5432/db", f"postgresql+psycopg://gold:{MASK}@host:5432/db"),
        ("https://api.telegram.org/bot123456:AAE-xyz_1/sendMessage", f"https://api.telegram.org/bot{MASK}/sendMessage"),
        ("calendar?from=1&token=abc", f"calendar?from=1&token={MASK}"),
    ],
)
def test_I18_what_has_the_shape_of_a_credential_is_masked_though_nobody_announced_it(text, expected):
    assert Redactor([]).mask(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The 10:05 bar closed at 2345.67",
        "https://api.twelvedata.com/time_series?symbol=XAU%2FUSD&timezone=UTC",
        "postgresql://localhost:5432/goldsignal",
        "12 API credits were used, with the current limit being 8",
    ],
)
def test_ordinary_text_is_left_alone(text):
    assert Redactor(["", "usd", SECRET]).mask(text) == text


def test_I18_a_filter_masks_message_arguments_traceback_stack_and_extra_fields():
    failure = raised(f"refused {SECRET}")
    made = record("call with %s and %d", SECRET, 3, url=f"x?apikey={SECRET}", context={"key": SECRET}, stack_info=f"at {SECRET}")
    made.exc_info = failure
    assert RedactingFilter([SECRET]).filter(made)
    assert SECRET not in shown(made)
    assert made.getMessage() == f"call with {MASK} and 3"
    assert "ValueError: invalid literal" in str(made.exc_text)


def test_a_record_without_secrets_keeps_its_arguments_and_its_exception():
    failure = raised("plain")
    made = record("read %d rows", 12, rows=[1, 2])
    made.exc_info = failure
    RedactingFilter([SECRET]).filter(made)
    assert (made.args, made.exc_info, vars(made)["rows"]) == ((12,), failure, [1, 2])


def test_a_faulty_log_call_is_not_turned_into_a_crash():
    made = record("two %s %s", SECRET)
    RedactingFilter([SECRET]).filter(made)
    assert SECRET not in shown(made)


def test_I18_records_of_other_peoples_loggers_are_masked_at_birth(caplog):
    before = logging.getLogRecordFactory()
    try:
        redact_every_record([SECRET])
        with caplog.at_level(logging.INFO):
            logging.getLogger("somebody.else").info("token is %s", SECRET)
    finally:
        logging.setLogRecordFactory(before)
    assert caplog.messages == [f"token is {MASK}"]


def test_I18_a_redactor_does_not_show_its_secrets():
    assert SECRET not in repr(Redactor([SECRET])) + repr(RedactingFilter([SECRET]))
