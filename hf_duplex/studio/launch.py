"""`hf-duplex studio`: loads the models, and serves the page."""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from typing import Any

from ..cognition.advisor import Advisor, ChatAdvisor, LiveAdvisor
from ..cognition.formalizer import ChatFormalizer, Formalizer
from ..evaluation.benchmarks.demo import open_stage
from ..evaluation.benchmarks.scenes import DEFAULT_EVERYDAY_SCENES, EVERYDAY_SCENES, SCENES
from .compare import own_scene, watch
from .page import CSS, build_page, theme
from .room import Room


USER = "duplex"
"""User name for the password login."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_access(host: str, password: str | None) -> None:
    """Raises `ValueError` if others could reach the page without a password, or the password is empty."""
    if password is not None and not password.strip():
        raise ValueError("`--password` is empty: give one, or leave it out and stay on 127.0.0.1.")
    if not is_loopback(host) and password is None:
        raise ValueError(f"`--host {host}` lets others in: give a `--password` as well, or leave `--host` out.")


def check_port(host: str, port: int) -> None:
    """Raises `ValueError` if the page cannot listen on this address and port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise ValueError(
                f"`--host {host} --port {port}`: {error.strerror or error}; choose another one."
            ) from error


def make_page(
    model: str | None = None,
    baseline: str | None = None,
    advisor: str | None = None,
    formalizer: str | None = None,
    threads: int | None = None,
    base: str | None = None,
) -> Any:
    """
    Builds the page and loads its models; the arguments are the options of `hf-duplex studio`. Use the result in a
    Space, or launch it with `css=CSS, theme=theme()`.

    Raises:
        ValueError: A model does not exist or is of the wrong kind; the message names the option.
    """
    turn = threading.Lock()
    stage = open_stage(model, baseline, base, threads)
    speaker: Advisor = (
        LiveAdvisor(stage.workspace, stage.workspace_tokenizer) if advisor is None else ChatAdvisor.from_name(advisor)
    )
    cleaner: Formalizer | None = None if formalizer is None else ChatFormalizer.from_name(formalizer)
    first = SCENES["arithmetic"] if stage.from_scratch else EVERYDAY_SCENES[DEFAULT_EVERYDAY_SCENES[0]]

    def compare(prompt: str, correction: str, after: float | None) -> Iterator[str]:
        return watch(stage, own_scene(prompt, correction, after), turn)

    # Signals are only read from models trained from scratch.
    measured = stage.workspace if advisor is None and stage.from_scratch else None
    return build_page(lambda: Room(speaker, turn, cleaner, measured), compare, first=first)


def launch_studio(
    host: str = "127.0.0.1", port: int = 7860, password: str | None = None, open_browser: bool = False, **models: Any
) -> None:
    """Serves the page until interrupted; `models` as in [`make_page`]."""
    check_access(host, password)
    check_port(host, port)
    page = make_page(**models)
    page.launch(
        server_name=host,
        server_port=port,
        auth=None if password is None else (USER, password),
        inbrowser=open_browser,
        **LAUNCH,
    )


LAUNCH: dict[str, Any] = {
    "css": CSS,
    "theme": theme(),
    "footer_links": [],
    "ssr_mode": False,
    "share": False,
    "quiet": False,
    "state_session_capacity": 200,
}
