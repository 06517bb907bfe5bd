/* SPDX-License-Identifier: BSD-3-Clause */
int migc_unwritten_session_destination(void);
int migc_unwritten_session_destination(void) { return 0; }
