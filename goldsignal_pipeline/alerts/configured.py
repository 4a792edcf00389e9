"""The channels that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goldsignal_pipeline.alerts.channels import Channel
    from goldsignal_pipeline.settings import Settings


def configured_channels(settings: Settings) -> list[Channel]:
    """Telegram when a bot and a chat are set, then the services by URL; empty when alerts are off."""
    channels: list[Channel] = []
    if settings.telegram_bot_token is not None and settings.telegram_chat_id is not None:
        from goldsignal_pipeline.alerts.telegram import Telegram

        chat, address = settings.telegram_chat_id, settings.telegram_base_url
        channels.append(Telegram(settings.telegram_bot_token, chat=chat, base_url=address))
    if settings.alert_urls:
        from goldsignal_pipeline.alerts.other_services import OtherService

        channels += [OtherService(url, secrets=settings.secrets()) for url in settings.alert_urls]
    return channels
