# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedding model: the operator's variable to settings of a release, settings back to what they mean, and the rules for them.

Private to this collection. What differs between releases:

- 0.2 and 0.3 do not start with a size (DIMS) that is no number; 0.5 takes the default instead.
- 0.2 and 0.3 ask the endpoint for OPENAI_EMBEDDING_REQUEST_DIMS numbers, if that is set. From v0.5.1 on the server always asks for
  OPENAI_EMBEDDING_DIMS; with 0 there it asks for nothing, and finds the size out by itself. v0.5.0 reads both.
- gemini is there from 0.3 on. v0.2.1 has its ark key in ARK_EMBEDDING_AK, v0.2.2 in ARK_EMBEDDING_API_KEY.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from ansible_collections.cozeops.studio.plugins.module_utils._model_lint import RELEASES, url_problems
from ansible_collections.cozeops.studio.plugins.module_utils._settings_values import Verdict, go_bool, go_int, nearest

VARIABLE = "coze_server_embedding"
TYPE_KEY = "EMBEDDING_TYPE"
BATCH_KEY = "EMBEDDING_MAX_BATCH_SIZE"
REQUEST_DIMS_KEY = "OPENAI_EMBEDDING_REQUEST_DIMS"
OLD_ARK_KEY = "ARK_EMBEDDING_AK"
DEFAULT_BATCH = 100

_SMALL_BATCHES = {"dashscope.aliyuncs.com": 10, "dashscope-intl.aliyuncs.com": 10}


class Kind(t.NamedTuple):
    """An EMBEDDING_TYPE: the key of each option, the options that it cannot do without, and its size if DIMS is not set."""

    keys: dict[str, str]
    required: tuple[str, ...]
    dims: int | None = None
    since: str = RELEASES[0]


def _keys(prefix: str, *options: str) -> dict[str, str]:
    return {option: f"{prefix}_EMBEDDING_{option.upper()}" for option in options}


KINDS = {
    "openai": Kind(_keys("OPENAI", "base_url", "model", "api_key", "dims", "by_azure", "api_version"), ("base_url", "model"), 1024),
    "ark": Kind(_keys("ARK", "base_url", "model", "api_key", "dims", "api_type"), ("base_url", "model", "api_key"), 1024),
    "ollama": Kind(_keys("OLLAMA", "base_url", "model", "dims"), ("base_url", "model")),
    "gemini": Kind(_keys("GEMINI", "base_url", "model", "api_key", "dims", "backend", "project", "location"), ("model", "api_key"), None, "0.3"),
    "http": Kind({"base_url": "HTTP_EMBEDDING_ADDR", "dims": "HTTP_EMBEDDING_DIMS"}, ("base_url",), 1024),
}
_WORDS = {"api_type": ("text_api", "multi_modal_api"), "backend": ("1", "2")}
_NUMBERS = ("dims", "batch_size")
_SWITCHES = ("by_azure", "send_dimensions")


class EmbeddingError(ValueError):
    """The variable cannot be used. ``problems`` is a list of sentences, none of which shows a key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def kinds_of(release: str) -> dict[str, Kind]:
    return {name: kind for name, kind in KINDS.items() if kind.since <= release}


# --- the variable ---


def embedding_env(embedding: Mapping[str, t.Any], release: str) -> dict[str, str]:
    """The settings that the variable stands for; options that are not given, and other types, keep what the .env says.

    Options: type, base_url, model, api_key, dims, batch_size; for openai also by_azure, api_version and send_dimensions (default true);
    for ark api_type; for gemini backend, project, location. Empty for an empty variable. Raises EmbeddingError with all problems.
    """
    if not embedding:
        return {}
    name = embedding.get("type")
    kinds = kinds_of(release)
    if not isinstance(name, str) or name not in kinds:
        raise EmbeddingError([_type_problem(name, release)])
    kind = kinds[name]
    problems: list[str] = []
    values: dict[str, str] = {}
    options = {*kind.keys, "batch_size", *(["send_dimensions"] if name == "openai" else [])}
    for option, value in embedding.items():
        if option not in options | {"type"}:
            problems.append(f"{VARIABLE}.{option}: type {name} has no such option{nearest(str(option), options)}")
        elif option != "type":
            try:
                values[option] = _text(option, value)
            except ValueError as error:
                problems.append(f"{VARIABLE}.{option}: {error}")
    problems += [f"{VARIABLE}.{option}: is missing" for option in (*kind.required, "dims") if option not in embedding]
    problems += [f"{VARIABLE}.{option}: is empty" for option in kind.required if values.get(option) == ""]
    env = _env_of(name, kind, values, release)
    if not problems:
        option_of = {key: option for option, key in {**kind.keys, "batch_size": BATCH_KEY}.items()}
        problems = [f"{VARIABLE}.{option_of[key]}: {message}" for key, message, fatal in env_rules(env, release) if fatal and key in option_of]
    if problems:
        raise EmbeddingError(problems)
    return env


def _type_problem(name: t.Any, release: str) -> str:
    known = kinds_of(release)
    if name is None:
        return f"{VARIABLE}.type: is missing: one of {', '.join(known)}"
    if isinstance(name, str) and name in KINDS:
        return f"{VARIABLE}.type: {name} is there from release {KINDS[name].since} on; release {release} has {', '.join(known)}"
    hint = nearest(name.lower(), known) if isinstance(name, str) else ""
    return f"{VARIABLE}.type: has to be one of {', '.join(known)}{hint}"


def _text(option: str, value: t.Any) -> str:
    """The value as a setting. Raises ValueError."""
    if option in _NUMBERS:
        number = value if isinstance(value, int) and not isinstance(value, bool) else go_int(value) if isinstance(value, str) else None
        if number is None or not 0 < number < 2**31:
            raise ValueError("has to be a whole number above 0")
        return str(number)
    if option in _SWITCHES:
        switch = value if isinstance(value, bool) else go_bool(value.lower()) if isinstance(value, str) else None
        if switch is None:
            raise ValueError("has to be true or false")
        return "true" if switch else "false"
    if option == "backend" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("has to be text")
    if re.search(r"[\n\r\0]", value):
        raise ValueError("has a line break in it")
    if option in _WORDS and value not in _WORDS[option]:
        raise ValueError(f"has to be one of {', '.join(_WORDS[option])}")
    return value


def _env_of(name: str, kind: Kind, values: Mapping[str, str], release: str) -> dict[str, str]:
    env = {TYPE_KEY: name, **{key: values[option] for option, key in kind.keys.items() if option in values}}
    if "batch_size" in values:
        env[BATCH_KEY] = values["batch_size"]
    if name == "ark" and release == "0.2" and "api_key" in values:
        env[OLD_ARK_KEY] = values["api_key"]
    if name == "openai" and "dims" in values:
        sent = values.get("send_dimensions", "true") == "true"
        if release <= "0.3":
            env[REQUEST_DIMS_KEY] = values["dims"] if sent else ""
            # Not to start without it is all that these releases do with an empty one.
            env.setdefault(kind.keys["by_azure"], "false")
        else:
            env[REQUEST_DIMS_KEY] = values["dims"] if sent else "0"
            env[kind.keys["dims"]] = values["dims"] if sent else "0"
    return env


# --- what settings mean ---


def embedding_of(env: Mapping[str, str], release: str) -> dict[str, t.Any] | None:
    """{type, base_url, model, api_key, dims, batch_size, send_dimensions} as the server reads the settings; None if none is configured.

    dims is None where the server finds it out by itself, or where it cannot be read. send_dimensions says whether the endpoint is asked for a size.
    """
    name = _active(env, release)
    kind = kinds_of(release).get(name)
    if kind is None or _brings_its_own(env):
        return None
    values = _values(env, name, kind)
    if not all(values[option] for option in kind.required):
        return None
    dims = _dims(env, kind, release)
    request = go_int(env.get(REQUEST_DIMS_KEY, ""))
    batch = go_int(env.get(BATCH_KEY, ""))
    return {
        "type": name,
        "base_url": values.get("base_url", ""),
        "model": values.get("model", ""),
        "api_key": values.get("api_key", ""),
        "dims": dims,
        "batch_size": batch if batch and batch > 0 else DEFAULT_BATCH,
        "send_dimensions": name == "openai" and bool(request if release <= "0.3" else dims),
    }


def embedding_change(old_env: Mapping[str, str], new_env: Mapping[str, str], release: str) -> dict[str, tuple[t.Any, t.Any]]:
    """What of type, model and dims differs, each as (old, new): knowledge bases that exist do not fit what differs here.

    Empty if there was no embedding before. A size that one side does not tell is not compared.
    """
    old, new = embedding_of(old_env, release), embedding_of(new_env, release)
    if old is None:
        return {}
    after = new or {}
    changes = {key: (old[key], after.get(key)) for key in ("type", "model", "dims") if old[key] != after.get(key)}
    if new and None in changes.get("dims", ()):
        del changes["dims"]
    return changes


def _active(env: Mapping[str, str], release: str) -> str:
    return env.get(TYPE_KEY, "") or ("ark" if release >= "0.5" else "")


def _brings_its_own(env: Mapping[str, str]) -> bool:
    return env.get("VECTOR_STORE_TYPE") == "vikingdb" and bool(env.get("VIKING_DB_MODEL_NAME"))


def _values(env: Mapping[str, str], name: str, kind: Kind) -> dict[str, str]:
    values = {option: env.get(key, "") for option, key in kind.keys.items()}
    if name == "ark":
        values["api_key"] = values["api_key"] or env.get(OLD_ARK_KEY, "")
    return values


def _dims(env: Mapping[str, str], kind: Kind, release: str) -> int | None:
    number = go_int(env.get(kind.keys["dims"], ""))
    if number is None and release >= "0.5":
        return kind.dims
    return number or None


# --- rules ---


def env_rules(env: Mapping[str, str], release: str) -> Iterator[Verdict]:
    """What is wrong with the settings of the embedding model."""
    if _brings_its_own(env):
        return
    name = _active(env, release)
    kinds = kinds_of(release)
    yield from _batch_rules(env, kinds.get(name))
    if name not in kinds:
        yield _type_verdict(name, release)
        return
    kind = kinds[name]
    values = _values(env, name, kind)
    yield from _presence_rules(name, kind, values)
    yield from _url_rules(env, name, kind)
    yield from _dims_rules(env, name, kind, release)
    for option, words in _WORDS.items():
        if values.get(option) and values[option] not in words:
            yield Verdict(kind.keys[option], f"has to be one of {', '.join(words)}", False)
    if name == "gemini" and values["backend"] == "2" and not (values["project"] and values["location"]):
        yield Verdict(kind.keys["backend"], "is 2, Vertex AI, which needs GEMINI_EMBEDDING_PROJECT and GEMINI_EMBEDDING_LOCATION", False)
    for other, its in kinds.items():
        url = env.get(its.keys["base_url"], "")
        if other not in (name, "http") and url:
            for message in url_problems(url):
                yield Verdict(its.keys["base_url"], f"{message} (not in use: {TYPE_KEY} is {name})", False)


def _type_verdict(name: str, release: str) -> Verdict:
    known = kinds_of(release)
    if not name:
        return Verdict(TYPE_KEY, f"is not set: release {release} does not start without it; one of {', '.join(known)}")
    if name in KINDS:
        return Verdict(TYPE_KEY, f"is {name}, which is there from release {KINDS[name].since} on; release {release} has {', '.join(known)}")
    return Verdict(TYPE_KEY, f"has to be one of {', '.join(known)}, in lower case{nearest(name.lower(), known)}")


def _presence_rules(name: str, kind: Kind, values: Mapping[str, str]) -> Iterator[Verdict]:
    missing = [option for option in kind.required if not values[option]]
    if len(missing) == len(kind.required) and name != "gemini":
        keys = ", ".join(kind.keys[option] for option in kind.required)
        yield Verdict(TYPE_KEY, f"is {name}, which is not configured: no knowledge base works until {keys} {'are' if ', ' in keys else 'is'} set", False)
        return
    for option in missing:
        # An endpoint of one's own may do without a name, and two clients have an address of their own.
        fatal = name in ("gemini", "ollama") or (name == "ark" and option != "base_url")
        effect = "the server does not start without it" if name == "gemini" else "no knowledge base works without it"
        yield Verdict(kind.keys[option], f"is empty, and {TYPE_KEY} is {name}: {effect if fatal else 'most endpoints refuse requests without it'}", fatal)
    if name == "openai" and not values["api_key"]:
        yield Verdict(kind.keys["api_key"], f"is empty, and {TYPE_KEY} is {name}: most endpoints refuse requests without a key", False)


def _url_rules(env: Mapping[str, str], name: str, kind: Kind) -> Iterator[Verdict]:
    key = kind.keys["base_url"]
    url = env.get(key, "")
    found = list(url_problems(url)) if url else []
    yield from (Verdict(key, message) for message in found)
    if not url or found:
        return
    path = urlsplit(url).path.rstrip("/")
    azure = go_bool(env.get(KINDS["openai"].keys["by_azure"], "")) is True
    if name == "openai" and not azure and not re.search(r"/v[0-9]+[a-z0-9]*$", path):
        yield Verdict(key, "does not end in /v1 or the like: the client only adds /embeddings, and most endpoints answer that with 404", False)
    if name == "ollama" and path:
        yield Verdict(key, "has a path: the client adds /api/embed, so it has to be the root, such as http://ollama:11434", False)


def _dims_rules(env: Mapping[str, str], name: str, kind: Kind, release: str) -> Iterator[Verdict]:
    key = kind.keys["dims"]
    text = env.get(key, "")
    dims = go_int(text)
    if release <= "0.3":
        if dims is None or dims <= 0:
            yield Verdict(key, f"has to be a whole number above 0, the size of the model's vectors: release {release} does not start, or stores nothing")
        azure_key = KINDS["openai"].keys["by_azure"]
        if name == "openai" and go_bool(env.get(azure_key, "")) is None:
            yield Verdict(azure_key, f"has to be true or false: release {release} does not start")
    elif dims is None and text:
        yield Verdict(key, f"is no whole number: the server takes {kind.dims or 'its default'} instead", False)
    if name == "openai":
        yield from _request_dims_rules(env, text, dims, release)


def _request_dims_rules(env: Mapping[str, str], text: str, dims: int | None, release: str) -> Iterator[Verdict]:
    wanted = env.get(REQUEST_DIMS_KEY)
    dims_key = KINDS["openai"].keys["dims"]
    if wanted is None or (wanted == "" and release <= "0.3"):
        return
    request = go_int(wanted)
    if request is None and wanted:
        yield Verdict(REQUEST_DIMS_KEY, "has to be a whole number, or empty for an endpoint that takes no size", release <= "0.3")
    elif release <= "0.3" and dims and request and request != dims:
        yield Verdict(
            REQUEST_DIMS_KEY,
            f"is {request}, and {dims_key} is {dims}: the endpoint is asked for vectors that the store does not take; "
            f"set both to the size of the model, or {REQUEST_DIMS_KEY} to nothing if the endpoint takes no size",
        )
    elif release >= "0.5" and not request and dims != 0:
        yield Verdict(
            REQUEST_DIMS_KEY, f"is not read from v0.5.1 on: for an endpoint that takes no size set {dims_key} to 0; the server then finds the size out", False
        )
    elif release >= "0.5" and request and dims and request != dims:
        yield Verdict(REQUEST_DIMS_KEY, f"is {request}, and {dims_key} is {dims}: v0.5.0 asks for the one and stores the other, and v0.5.1 ignores it", False)


def _batch_rules(env: Mapping[str, str], kind: Kind | None) -> Iterator[Verdict]:
    text = env.get(BATCH_KEY, "")
    batch = go_int(text)
    if text and batch is None:
        yield Verdict(BATCH_KEY, f"is no whole number: the server takes {DEFAULT_BATCH} instead", False)
    elif batch is not None and batch <= 0:
        yield Verdict(BATCH_KEY, "has to be above 0: no text is sent otherwise")
    try:
        host = urlsplit(env.get(kind.keys["base_url"], "")).hostname or "" if kind else ""
    except ValueError:
        return
    limit = _SMALL_BATCHES.get(host)
    if limit and (batch or DEFAULT_BATCH) > limit:
        yield Verdict(BATCH_KEY, f"is {batch or DEFAULT_BATCH}, and {host} takes at most {limit} texts at once: set it to {limit}", False)
