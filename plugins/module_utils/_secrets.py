# Copyright: (c) 2026, cozeops.studio contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which secrets a stack has, where each comes from, and which are new.

A secret is a key of the .env for which a published or an empty value must not stay. Its value comes, in this order,
from the operator's words (stack_env, then a value of their own in the .env), from the stack's secrets file, from the
stack on the host, and only then from chance.
"""

from __future__ import annotations

import re
import secrets
import string
import typing as t

ALPHABET = string.ascii_letters + string.digits


class Secret(t.NamedTuple):
    """What a role says of one of its secrets."""

    key: str
    #: Values that are public knowledge: with one of them, or with none, the key has no secret yet.
    published: tuple[str, ...] = ()
    #: Lengths in bytes that its reader accepts; () for any.
    lengths: tuple[int, ...] = ()
    #: Characters that an image's own scripts do not bring through.
    forbidden: str = ""
    #: How long a new one is, in characters.
    size: int = 32
    #: A data directory (relative to the stack's root) that only opens with the value that it was made with.
    locks: str | None = None
    #: False for a value that no .env has: it lives in the secrets file alone.
    in_env: bool = True
    #: Whether it may become another one: its service takes it at each start, or, with ``locks``, the role's tasks C(rotate) change it in the data.
    rotates: bool = False


class Sources(t.NamedTuple):
    """Where values may come from: each maps keys to values. An empty one of the host's says that no data can have been made with any."""

    operator: t.Mapping[str, str]
    source_env: t.Mapping[str, str]
    stored: t.Mapping[str, str]
    host: t.Mapping[str, str]


class Decision(t.NamedTuple):
    """Values of all secrets, the new ones by name, those to be written to the secrets file, and what is wrong."""

    values: dict[str, str]
    generated: list[str]
    adopted: list[str]
    problems: list[str]


class Rotation(t.NamedTuple):
    """Which secrets become others, which of these get a value by chance, and what is wrong."""

    changed: list[str]
    renewed: list[str]
    problems: list[str]


def secret_of(spec: t.Mapping[str, t.Any]) -> Secret:
    """A role's dict as a Secret. Raises TypeError for a key that is not one of its fields."""
    known = dict(spec)
    for field in ("published", "lengths"):
        known[field] = tuple(known.get(field, ()))
    return Secret(**known)


def new_value(size: int) -> str:
    """Letters and digits only: every reader of the .env takes them as they are."""
    return "".join(secrets.choice(ALPHABET) for dummy in range(size))


def is_open(secret: Secret, value: str | None) -> bool:
    """True for no value, an empty one, and one that is public knowledge."""
    return not value or value in secret.published


def missing(wanted: t.Sequence[Secret], sources: Sources) -> list[Secret]:
    """The secrets that neither the operator, nor the source's .env, nor the secrets file gives."""
    return [
        secret
        for secret in wanted
        if secret.key not in sources.operator and is_open(secret, sources.source_env.get(secret.key)) and not sources.stored.get(secret.key)
    ]


def own_value(secret: Secret, sources: Sources) -> str | None:
    """What the operator gives for it, in words or in a .env of their own."""
    given = sources.operator.get(secret.key)
    if given is None and not is_open(secret, sources.source_env.get(secret.key)):
        given = sources.source_env[secret.key]
    return given


def rotation(
    wanted: t.Sequence[Secret], keys: t.Sequence[str], sources: Sources, in_use: t.Mapping[str, t.Collection[str]], digest: t.Callable[[str], str]
) -> Rotation:
    """Which secrets are to become others: ``keys``, or all that can.

    One whose value on the controller is another one than is ``in_use`` on the hosts (key -> digests) becomes that one: the operator has given it, or a
    rotation before was cut off. Others get a value by chance.
    """
    known = {secret.key: secret for secret in wanted}
    found = Rotation([], [], [])
    for key in keys or [secret.key for secret in wanted if secret.rotates and in_use.get(secret.key)]:
        secret = known.get(key)
        if secret is None:
            names = ", ".join(each.key for each in wanted if each.rotates)
            found.problems.append("stack_rotate_keys: the stack makes no secret %s. It can have %s." % (key, names))
        elif not secret.rotates:
            why = "what %s holds was written with it, and could not be read any more" % secret.locks if secret.locks else "rotate.yml does not know how"
            found.problems.append("stack_rotate_keys: %s stays as it is: %s." % (key, why))
        elif not in_use.get(key):
            found.problems.append("stack_rotate_keys: no service of the stack uses %s." % key)
        else:
            own = own_value(secret, sources)
            now = sources.stored.get(key) if own is None else own
            found.changed.append(key)
            if now is not None and digest(now) not in in_use[key]:
                continue
            if own is None:
                found.renewed.append(key)
            elif keys:
                found.problems.append("%s: its value is given in stack_env or the .env, and is the one in use. Give the new one there." % key)
            else:
                found.changed.pop()
    return found


def replaced(text: str, keys: t.Collection[str]) -> str:
    """The lines of a YAML file without those of top-level keys, where each key begins a line."""
    kept, dropping = [], False
    # Not splitlines(): a value may hold other characters that Python takes for the end of a line.
    for line in re.split(r"(?<=\n)", text):
        begins = re.match(r"""(['"]?)([A-Za-z_]\w*)\1\s*:(\s|$)""", line)
        if begins:
            dropping = begins.group(2) in keys
        elif line.strip() and line[0] not in " \t":
            dropping = False
        if not dropping:
            kept.append(line)
    return "".join(kept)


def decide(
    wanted: t.Sequence[Secret], sources: Sources, filled_data: t.Collection[str], generate: bool, secrets_file: str, renewed: t.Collection[str] = ()
) -> Decision:
    """Decide every secret. ``filled_data`` are data directories on the host that hold something; ``renewed`` are keys that get another value.

    With ``generate`` false nothing is made: the keys that lack a value are only named in ``generated``.
    """
    decision = Decision({}, [], [], [])
    lacking = {secret.key for secret in missing(wanted, sources)}
    for secret in wanted:
        key = secret.key
        if key in renewed:
            decision.generated.append(key)
            if generate:
                decision.values[key] = new_value(secret.size)
        elif key not in lacking:
            own = own_value(secret, sources)
            decision.values[key] = sources.stored[key] if own is None else own
        elif sources.host.get(key):
            decision.values[key] = sources.host[key]
            decision.adopted.append(key)
        elif secret.locks is not None and secret.locks in filled_data and sources.host.get(key) is None:
            decision.problems.append(
                "%s: %s has no value for it, and %s on the host already holds data made with one. Put that value into %s (or into stack_env)."
                % (key, secrets_file, secret.locks, secrets_file)
            )
        else:
            decision.generated.append(key)
            if generate:
                decision.values[key] = new_value(secret.size)
        value = decision.values.get(key)
        if value == "":
            decision.problems.append("%s: an empty value is given for it. Leave it out to have one made, or give one." % key)
        bad = sorted(set(value or "") & set(secret.forbidden))
        if bad:
            decision.problems.append(
                "%s: its value has %s in it, which its image's scripts do not take. Use letters and digits." % (key, " and ".join(repr(one) for one in bad))
            )
        if value and secret.lengths and len(value.encode()) not in secret.lengths:
            decision.problems.append(
                "%s: its value is %d bytes long; it must have %s." % (key, len(value.encode()), " or ".join(str(length) for length in secret.lengths))
            )
    return decision
