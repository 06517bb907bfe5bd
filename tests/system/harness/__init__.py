# SPDX-License-Identifier: BSD-3-Clause
"""Pieces that system tests and the demo are made of. Standard library only; needs root."""
