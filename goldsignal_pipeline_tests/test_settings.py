"""Settings are typed, their origin is known, and a wrong name is met with the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsignal_pipeline.errors import SettingsError
from goldsignal_pipeline.settings import Settings, describe, load_settings

KEY = "GOLDSIGNAL_TWELVEDATA_API_KEY"


@pytest.fixture(autouse=True)
def isolated_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GOLDSIGNAL_{name.upper()}", raising=False)
    monkeypatch.setenv("GOLDSIGNAL_ENV_FILE", str(tmp_path / ".env"))
    monkeypatch.setenv("GOLDSIGNAL_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path


def row(name: str) -> dict[str, str]:
    return next(line for line in describe(load_settings()) if line["name"] == name)


def test_without_any_key_the_simulated_market_is_the_feed() -> None:
    assert load_settings().feed == "simulated"


def test_a_vendor_key_switches_to_the_real_market(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "demo-key")
    assert load_settings().feed == "twelvedata"


def test_an_unknown_name_is_refused_with_the_nearest_valid_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_DATABSE_URL", "postgresql://localhost/x")
    with pytest.raises(SettingsError, match="GOLDSIGNAL_DATABASE_URL"):
        load_settings()


def test_an_unknown_name_in_the_users_file_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GOLDSIGNAL_LOG_LEVLE=INFO\n")
    with pytest.raises(SettingsError, match="GOLDSIGNAL_LOG_LEVEL"):
        load_settings()


def test_the_environment_wins_over_the_users_file_and_that_over_generated_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / "env").write_text(
        "GOLDSIGNAL_DATABASE_URL=postgresql://generated/g\nGOLDSIGNAL_WEBSERVER_PORT=3111\nGOLDSIGNAL_POSTGRES_PORT=5444\n"
    )
    (tmp_path / ".env").write_text("GOLDSIGNAL_DATABASE_URL=postgresql://own/o\nGOLDSIGNAL_WEBSERVER_PORT=3222\n")
    monkeypatch.setenv("GOLDSIGNAL_WEBSERVER_PORT", "3333")
    settings = load_settings()
    assert settings.webserver_port == 3333
    assert settings.required_database_url == "postgresql://own/o"
    assert settings.postgres_port == 5444
    assert [
        row(f"GOLDSIGNAL_{name}")["origin"] for name in ("WEBSERVER_PORT", "DATABASE_URL", "POSTGRES_PORT", "GRACE_SECONDS")
    ] == [
        "environment",
        ".env",
        "generated",
        "default",
    ]


def test_i18_secrets_are_masked_in_every_description(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "sesame-4711")
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", "postgresql://user:sesame-4711@host/db")
    settings = load_settings()
    assert "sesame-4711" not in f"{settings!r} {settings} {describe(settings)}"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("DISPLAY_TIMEZONE", "Europe/Berln", "Europe/Berlin"),
        ("DATABASE_URL", "mysql://localhost/x", "postgresql://"),
        ("BASE_TIMEFRAME", "D1", "M1 to H1"),
        ("WEBSERVER_PORT", "70000", "65535"),
        ("SOURCE_ORDER", '["twelvedata"]', "vendor:side"),
        ("PROVIDER", "twelvedata", KEY),
    ],
)
def test_a_wrong_value_says_what_was_expected(monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str) -> None:
    monkeypatch.setenv(f"GOLDSIGNAL_{name}", value)
    with pytest.raises(SettingsError, match=complaint):
        load_settings()


def test_a_refused_value_is_not_repeated_when_it_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", "mysql://user:sesame-4711@host/db")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "sesame-4711" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_a_database_the_error_says_how_to_get_one() -> None:
    with pytest.raises(SettingsError, match="goldsignal up"):
        _ = load_settings().required_database_url


def test_a_home_named_in_the_users_file_is_where_generated_values_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOLDSIGNAL_HOME")
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    (elsewhere / "env").write_text("GOLDSIGNAL_WEBSERVER_PORT=3111\n")
    (tmp_path / ".env").write_text(f'GOLDSIGNAL_HOME="{elsewhere}"\n')
    assert load_settings().webserver_port == 3111


def test_an_account_in_another_currency_needs_its_rate_and_one_in_dollars_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_ACCOUNT_CURRENCY", "CHF")
    with pytest.raises(SettingsError, match="GOLDSIGNAL_ACCOUNT_CURRENCY_RATE"):
        load_settings()
    monkeypatch.setenv("GOLDSIGNAL_ACCOUNT_CURRENCY_RATE", "1.25")
    assert str(load_settings().own_account.usd_per_unit) == "1.25"
    monkeypatch.setenv("GOLDSIGNAL_ACCOUNT_CURRENCY", "USD")
    with pytest.raises(SettingsError, match="other than USD"):
        load_settings()
