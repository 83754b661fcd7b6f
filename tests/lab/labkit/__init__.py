# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own tools: an Engine, images, hosts. Standard library only: it runs before any venv exists."""
