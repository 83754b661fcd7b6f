# SPDX-License-Identifier: GPL-3.0-or-later
"""Installations made by hand and by Docker Compose become stacks with what their users have made, or stay what they are."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cozeops.studio.plugins.module_utils._coze_api import CozeError, Session
from ansible_collections.cozeops.studio.tests.integration import by_hand
from ansible_collections.cozeops.studio.tests.integration.lab_host import LabHost, make_source, why_not

pytestmark = [pytest.mark.long(minutes=12), pytest.mark.skipif(bool(why_not()), reason=why_not())]
